//! The device cloud at work: threads, queues and timers around the deciding core of `hexmq-device`.
