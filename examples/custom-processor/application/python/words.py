"""A processor with state: how often each word has been seen."""

import collections
import json
import pathlib

from langstream import Processor, SimpleRecord


class Counter(Processor):
    """Answers every text with the words seen most often so far."""

    def init(self, config, context):
        self.most = config.get("most", 5)
        self.path = pathlib.Path(context.get_persistent_state_directory()) / "counts.json"
        self.counts = collections.Counter()

    def start(self):
        if self.path.exists():
            self.counts.update(json.loads(self.path.read_text()))

    def process(self, record):
        self.counts.update(record.value().lower().split())
        return [SimpleRecord(dict(self.counts.most_common(self.most)), key=record.key(), headers=record.headers())]

    def close(self):
        self.path.write_text(json.dumps(self.counts))
