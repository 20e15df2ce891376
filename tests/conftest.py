"""The order of files: the longest first, so that no core waits for one of them at the end."""

LONGEST = (
    "test_fresh_clone.py", "test_distributed.py", "test_browser.py", "test_faults.py", "test_runner.py", "test_own.py",
    "test_worker.py", "test_learning.py",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
