//! `test_locks.py`.
