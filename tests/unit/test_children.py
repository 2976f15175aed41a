"""Children end with whoever started them."""

import subprocess
import sys


def test_a_child_whose_parent_died_before_the_kernel_knew_ends_at_once() -> None:
    # The parent is gone before the child asks the kernel to watch it.
    code = """
import os, sys, time
from dispatcher.runtime.orphans import dying_with_us
begin, parent = dying_with_us(), os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:
        time.sleep(0.01)
    begin()
    print("alive", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)

    assert (done.stdout, done.stderr) == ("", "")


def test_a_child_of_a_living_parent_goes_on() -> None:
    code = """
import os
from dispatcher.runtime.orphans import dying_with_us
begin = dying_with_us()
if os.fork() == 0:
    begin()
    print("alive", flush=True)
    os._exit(0)
os.wait()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)

    assert (done.stdout, done.stderr) == ("alive\n", "")
