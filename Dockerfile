# The binary alone: nothing to patch, nothing to log into.
#
#     docker build -t seaworthy .
#
# In the image of a service, take the binary and put it in front of the start command:
#
#     COPY --from=seaworthy /seaworthy /usr/local/bin/seaworthy
#     ENTRYPOINT ["seaworthy", "run", "--"]
#     CMD ["node", "server.js"]

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package seaworthy-cli \
 && cp target/*-unknown-linux-gnu/release/seaworthy /seaworthy

FROM scratch
COPY --from=build /seaworthy /seaworthy
# By number: a scratch image has no passwd file.
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s CMD ["/seaworthy", "probe", "live"]
ENTRYPOINT ["/seaworthy"]
CMD ["--help"]
