"""Renders the Helm chart with the values that come as JSON on standard input, and writes JSON: the
documents, and what the schemas of the Kubernetes API say against them. It runs in the environment
`.venv/helm`, which has Helm and the schemas."""

from __future__ import annotations

import json
import sys
from typing import Any

import helm_python
import kubernetes_validate
import yaml

VERSIONS = ("1.29.0", "1.37.0")
"""The oldest version of Kubernetes that the chart takes, and the newest with schemas."""
FOREIGN = ("PodMonitor",)
"""Kinds that Kubernetes itself does not know."""


def complaints(document: dict[str, Any]) -> list[str]:
    """Returns what the schemas say against a document, with fields that they do not name refused."""
    if document["kind"] in FOREIGN:
        return []
    refusals = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            name = f"{document['kind']} {document['metadata']['name']}"
            refusals.append(f"{version}: {name}: {list(error.path)}: {error.message}")
    return refusals


def rendered(chart: helm_python.Chart, values: dict[str, Any]) -> dict[str, Any]:
    """Returns the documents of one release, or why Helm refuses the values."""
    try:
        chart.validate_schema(values)
        texts = chart.render(values, name="login", namespace="identity")
    except helm_python.HelmError as error:
        return {"error": str(error), "documents": [], "complaints": []}
    documents = [
        document
        for name, text in sorted(texts.items())
        if name.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]
    notes = next(text for name, text in texts.items() if name.endswith("NOTES.txt"))
    refusals = [refusal for document in documents for refusal in complaints(document)]
    return {"error": None, "documents": documents, "complaints": refusals, "notes": notes}


def main() -> None:
    with helm_python.Chart.load(sys.argv[1]) as chart:
        json.dump([rendered(chart, values) for values in json.load(sys.stdin)], sys.stdout)


main()
