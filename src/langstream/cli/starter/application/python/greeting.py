"""An agent of your own: change it while `langstream run --watch` is on, and ask again."""

import json

from langstream import Processor, SimpleRecord


class Greeter(Processor):
    """Greets whoever asks."""

    def init(self, config):
        self.greeting = config["greeting"]

    def process(self, record):
        question = json.loads(record.value())["question"]
        return [SimpleRecord(f"{self.greeting}! You asked: {question}", key=record.key(), headers=record.headers())]
