"""A processor that fails in two ways: for a while, and for good."""

from langstream import Processor


class Worker(Processor):
    """Fails twice for "flaky", always for "broken"."""

    def start(self):
        self.attempts = 0

    def process(self, record):
        if record.value() == "broken":
            raise ValueError("this cannot be done")
        if record.value() == "flaky" and self.attempts < 2:
            self.attempts += 1
            raise ConnectionError("not just now")
        self.attempts = 0
        return [record]
