//! `test_eager_task_factory.py`.
