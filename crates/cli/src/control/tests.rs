//! Both ends of a real socket.
