-- The queue, where there is no Redis. Whoever takes a job has it until a time, so that the job of a process that died is taken again.
CREATE TABLE jobs (
    order_id TEXT NOT NULL PRIMARY KEY,
    queued_at BIGINT NOT NULL,
    taken_until BIGINT NOT NULL
);
