//! `test_exception_group.py`.
