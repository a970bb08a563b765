"""An application whose answers come in chunks, and whose records hold markup."""

from __future__ import annotations

FILES = {
    "pipeline.yaml": """
        topics:
          - {name: questions, creation-mode: create-if-not-exists}
          - {name: answers, creation-mode: create-if-not-exists}
        pipeline:
          - name: Answer in pieces
            id: talker
            type: python-processor
            input: questions
            output: answers
            errors: {on-failure: dead-letter}
            configuration: {className: talker.Talker}
    """,
    "gateways.yaml": """
        gateways:
          - id: talk
            type: chat
            chat-options:
              questions-topic: questions
              answers-topic: answers
              headers: [{key: session, value-from-parameters: session-id}]
          - {id: in, type: produce, topic: questions}
          - {id: out, type: consume, topic: answers}
          - id: ask
            type: service
            service-options: {input-topic: questions, output-topic: answers}
          - id: locked
            type: consume
            topic: answers
            authentication: {provider: http, configuration: {base-url: "http://127.0.0.1:1", path-template: /}}
    """,
    "python/talker.py": """
        from langstream import Processor, SimpleRecord


        class Talker(Processor):
            def process(self, record):
                chunks = ["You ", "said ", record.value()]
                return [self.chunk(record, index, text, len(chunks)) for index, text in enumerate(chunks, 1)]

            def chunk(self, record, index, text, count):
                stream = {
                    "stream-id": str(id(record)),
                    "stream-index": str(index),
                    "stream-last-message": str(index == count).lower(),
                }
                headers = [*record.headers(), *stream.items()]
                return SimpleRecord(text, key=record.key(), headers=headers)
    """,
}
