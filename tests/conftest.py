"""The order of files: the longest first, so that no core waits for one of them at the end."""

LONGEST = ("test_fresh_clone.py", "test_distributed.py", "test_browser.py", "test_runner.py", "test_faults.py")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))
