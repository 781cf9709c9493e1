"""What every engine does in the process that a job runs in: the job's threads, its notes, and what it comes to."""

import contextlib
import errno
import sys
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

from leakaudit.engines import BUG, Failed, Job, Note
from leakaudit.errors import HereError, LeakauditError, interrupted, spelt

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
"""What libraries of arithmetic read as they are loaded."""
EXACTLY = {"MKL_DYNAMIC": "FALSE"}
"""So that MKL takes as many threads as it is told to, on a machine with fewer cores too, as `torch.set_num_threads`."""
FULL = (errno.ENOSPC, errno.EDQUOT)
LONGEST = 400
"""Letters of what an exception says."""


class Outcome(NamedTuple):
    """What a job came to."""

    result: Any
    trace: str = ""
    """The traceback of a bug."""


def environment(job: Job) -> dict[str, str]:
    """What must be said before the job's process loads any library: threads, and that it has no GPU."""
    return dict.fromkeys(THREADS, str(job.threads)) | EXACTLY | ({} if job.gpus else {"CUDA_VISIBLE_DEVICES": ""})


def outcome(job: Job, tell: Callable[[Note], None]) -> Outcome:
    """
    Do the job in this process.

    Every exception is an outcome, but for an interruption, which goes on its way.
    """
    if "torch" in sys.modules:  # else it takes them from the environment, once it is loaded
        sys.modules["torch"].set_num_threads(job.threads)
    try:
        with contextlib.closing(job.work()) as work:  # interrupted between two records, it cleans up too
            while True:
                try:
                    record = next(work)
                except StopIteration as end:
                    return Outcome(end.value)
                tell(Note(job.name, getattr(record, "words", ""), record.done, record.total))
    except LeakauditError as error:
        return Outcome(Failed(error.exit_status, str(error), error))
    except BaseException as error:
        if interrupted(error):
            raise
        if isinstance(error, OSError) and error.errno in FULL:
            here = HereError(f"cannot write {error.filename or 'a file'}: {error.strerror}")
            return Outcome(Failed(here.exit_status, str(here), here))
        return bug(error)


def bug(error: BaseException) -> Outcome:
    """What nobody but us can mend, with its traceback."""
    words = spelt(f"{type(error).__name__}: {error}".removesuffix(": "), LONGEST)
    return Outcome(Failed(BUG, words), "".join(traceback.format_exception(error)))
