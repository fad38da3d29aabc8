//! `test_except_star.py`.
