//! `test_queues.py`.
