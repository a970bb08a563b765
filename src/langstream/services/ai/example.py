"""What the examples of all AI services have in common: a question gets its vector and its answer.

A service adds how it is reached, and its models. The texts are entries of YAML files.
"""

from __future__ import annotations

from textwrap import indent


def resource(type: str, name: str, options: str) -> str:
    """The entry of `resources`."""
    return f"- type: {type}\n  name: {name}\n  configuration:\n" + indent(options, "    ")


def answer(name: str, *, chat: str, embeddings: str | None = None, system: str = "Answer in one sentence.") -> str:
    """The pipeline entries: embeddings, where the service has them, and an answer."""
    vector = f"""\
- type: compute-ai-embeddings
  input: questions
  configuration:
    ai-service: {name}
    model: {embeddings}
    text: "{{{{{{ value.question }}}}}}"
    embeddings-field: value.embeddings
"""
    entry = "- type: ai-chat-completions\n" + ("" if embeddings else "  input: questions\n")
    return (
        (vector if embeddings else "")
        + f"""\
{entry}  output: answers
  configuration:
    ai-service: {name}
    model: {chat}
    completion-field: value.answer
    messages:
      - role: system
        content: {system}
      - role: user
        content: "{{{{{{ value.question }}}}}}"
"""
    )
