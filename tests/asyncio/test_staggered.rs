//! `test_staggered.py`.
