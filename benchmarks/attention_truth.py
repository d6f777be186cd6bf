"""Does attention follow the true families of `demo`? ``python benchmarks/attention_truth.py [--help]``

The bundled grid, and ComPT with each normaliser and several numbers of sources. For each: accuracy, how
concentrated the attention is, and Mantel's test of the similarity of attention rows against the true
families (tasks permuted, one permutation for all seeds), plain and with three things partialled out that
related tasks might share for other reasons: the template of their texts, pieces in common between their
label words, and the similarity of their label words in the backbone's embedding.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from comparison import read
from setting import ROOT, default_run, measure_runs

from compt_core.analysis.relatedness import mantel, similarity
from compt_core.backbone.load import Backbone, find_backbone, load_backbone
from compt_core.language.suites import DEMO_SUITE, relatedness
from compt_core.scoring.statistics import half_width
from compt_core.settings.values import as_list

COMPT: Final = "spp"
NORMALIZERS: Final = ("softmax", "entmax15", "sparsemax", "sigmoid")


def controls(backbone: Backbone) -> list[np.ndarray]:
    """[K, K] each: one template; shared pieces of the label words; cosine of the label words' mean embeddings.

    A control without any spread (no two tasks share a piece) is left out: there is nothing to take out.
    """
    template = np.array([[float(a.templates == b.templates) for b in DEMO_SUITE] for a in DEMO_SUITE])
    pieces = [set(backbone.tokenizer(" ".join(task.labels), add_special_tokens=False)["input_ids"])
              for task in DEMO_SUITE]
    overlap = np.array([[len(a & b) / len(a | b) for b in pieces] for a in pieces])
    table = backbone.model.get_input_embeddings().weight.detach()
    means = torch.stack([table[list(own)].mean(0) for own in pieces])
    means = means - means.mean(0)
    cosine = torch.nn.functional.cosine_similarity(means[:, None], means[None], dim=-1).numpy()
    pairs = np.triu_indices(len(DEMO_SUITE), k=1)
    return [one for one in (template, overlap, cosine) if np.ptp(one[pairs]) > 0]


def entropy(attention: np.ndarray) -> float:
    """Mean over tasks of the rows' entropy as a share of the largest possible, log S; rows scaled to sum 1."""
    rows = attention / attention.sum(1, keepdims=True)
    return float(-(rows * np.log(np.where(rows > 0, rows, 1))).sum(1).mean() / np.log(rows.shape[1]))


def judge(results: Sequence[dict[str, Any]], left_out: Sequence[np.ndarray]) -> dict[str, Any]:
    """What the runs of one setting say."""
    attention = [np.array(result["attention"]) for result in results]
    each, truth = [similarity(one) for one in attention], np.array(relatedness())
    plain, partial = mantel(each, truth), mantel(each, truth, left_out)
    return {
        "accuracy": [result["mean"] for result in results],
        "entropy": float(np.mean([entropy(one) for one in attention])),
        "active": float(np.mean([(one > 0.01).any(0).sum() for one in attention])),
        "r": plain.r, "each": plain.each, "p": plain.p, "smallest": plain.smallest,
        "partial r": partial.r, "partial p": partial.p,
    }


def show(found: dict[str, dict[str, Any]]) -> None:
    """Print a row per setting."""
    print(f"smallest p that the test can give: {next(iter(found.values()))['smallest']:.5f}")
    print(f"{'':14}{'accuracy':>15}{'entropy':>9}{'active':>8}{'r':>7}{'over seeds':>16}{'p':>9}"
          f"{'partial r':>11}{'p':>9}")
    for name, one in found.items():
        accuracy = f"{100 * np.mean(one['accuracy']):.1f} ± {100 * (half_width(one['accuracy']) or 0):.1f}"
        spread = f"{min(one['each']):.2f} to {max(one['each']):.2f}"
        print(f"{name:14}{accuracy:>15}{one['entropy']:>9.2f}{one['active']:>8.1f}{one['r']:>7.2f}{spread:>16}"
              f"{one['p']:>9.5f}{one['partial r']:>11.2f}{one['partial p']:>9.5f}")


def main() -> None:
    """Judge the bundled grid, train the other settings, print both tables; write the second one to --json."""
    parser = argparse.ArgumentParser(prog="python benchmarks/attention_truth.py", description=main.__doc__)
    parser.add_argument("--seeds", default="0-9")
    parser.add_argument("--shots", type=int, default=16)
    parser.add_argument("--sources", default="3,4,8")
    parser.add_argument("--normalizers", default=",".join(NORMALIZERS), help="none: only judge the grid")
    parser.add_argument("--grid", type=Path, default=ROOT / "assets" / "demo-runs" / "demo.json")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    seeds, sizes, kinds = as_list(given.seeds), as_list(given.sources), as_list(given.normalizers)
    left_out = controls(load_backbone(find_backbone("demo")))
    grid = read(given.grid)
    counts = sorted({shots for _, shots, _ in grid})
    of_grid = sorted({seed for _, _, seed in grid})
    print(f"The grid {given.grid.name}, {len(of_grid)} seeds: method and shots")
    show({f"{method} {shots}": judge([grid[method, shots, seed] for seed in of_grid], left_out)
          for method in ("spp", "scp") for shots in counts})
    if kinds == ["none"]:
        return
    runs = {f"{kind} {size} {seed}": default_run(COMPT, given.shots, seed, normalizer=kind, sources=size)
            for kind in kinds for size in sizes for seed in seeds}
    results = measure_runs(runs)
    found = {f"{kind} {size}": judge([results[f"{kind} {size} {seed}"] for seed in seeds], left_out)
             for kind in kinds for size in sizes}
    print(f"\nComPT with other attention, {given.shots} shots, {len(seeds)} seeds: normaliser and S")
    show(found)
    if given.json:
        attention = {run: result["attention"] for run, result in results.items()}
        given.json.write_text(json.dumps({"settings": found, "attention": attention}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
