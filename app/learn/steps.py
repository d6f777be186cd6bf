"""Steps of the tour about scores: what a soft prompt is, sharing, few shots, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.learn import charts as tour_charts
from app.learn import runs as tour_runs
from app.learn import words as tour_words
from app.learn.board import Board
from app.learn.runs import Grid
from app.show import captions, frames
from app.show.shot_curves import shot_curves
from app.show.styles import LOOKS, label, marked
from app.ui import components, state
from compt_core.runs.record import RunRecord
from compt_core.tasks.spec import Task

MANY = "16"  # shots that a step shows first, if the runs have them
SHOTS_HELP = "Training rows per task in the runs shown. All scores are on rows that no run trains on."
SEED_HELP = "Which run to show. Runs that differ only in the seed have different training rows, starts and row orders."


def shots(board: Board, grid: Grid) -> str:
    """The shot count, shared by all steps."""
    return board.slide("shots", "Shots", grid.shots, MANY if MANY in grid.shots else grid.shots[-1], SHOTS_HELP)


def task(board: Board, grid: Grid) -> str:
    """The task, shared by all steps."""
    return board.pick("task", "Task", grid.tasks, grid.tasks[0], "One of the tasks that these runs trained on.")


def seed(board: Board, grid: Grid) -> str:
    """The seed, shared by all steps."""
    return board.slide("seed", "Seed", grid.seeds, grid.seeds[0], SEED_HELP)


def question(text: str, answer: Sequence[str], title: str = "The answer from these runs") -> None:
    """Something to find out by moving a widget, and the answer in a box that is closed at first."""
    with st.container(border=True):
        st.markdown(f":material/touch_app: **Try it.** {text}")
        with st.expander(title, key="answer"):
            st.markdown("  \n".join(answer))


def lacking(what: str) -> None:
    """Says that the runs at hand lack what a step needs."""
    components.empty_state("Not in these runs", what, "launch", "home")


def prompt(board: Board, grid: Grid) -> None:
    """A text with its prompt, the prompt's numbers, and how PT scores with them on one task."""
    if "pt" not in grid.methods:
        lacking("This step needs completed runs of PT.")
        return
    left, right = halves()
    with left:
        st.markdown("A **soft prompt** is a handful of vectors that stand in the text in place of words. The language "
                    "model that reads both stays **frozen**: training changes only the vectors. **PT** trains one soft "
                    "prompt for each task on its own.")
        name, count = task(board, grid), shots(board, grid)
        which = seed(board, grid)
        table = grid.at(count)
        own = table[(table["variant"] == "pt") & (table["column"] == name)]
        if own.empty:
            lacking(f"PT has no completed run at {captions.plural(int(count), 'shot')}.")
            return
        run = grid.run("pt", count, which)
        who = f"PT, trained on {captions.plural(int(count), 'row')} (seed {which}),"
        _example(board, grid.experiment.tasks.get(name), run, who)
    references = of_references(grid, name)
    row = tour_runs.records(frames.summarise(own))[0]
    with right:
        said = tour_words.level(name, row, references)
        figure = tour_charts.levels(own["value"].fillna(0.0).tolist(), row["value"], row["half"], references, "pt",
                                    board.large)
        st.altair_chart(figure, width="stretch", key="levels", alt=captions.plain([said]))
        st.markdown(said)
        vectors = tour_runs.vectors(run, name) if run else None
        if vectors is not None:
            size = f"{captions.plural(len(vectors), 'vector')} of {captions.plural(vectors.shape[1], 'number')}"
            wide = min(vectors.shape[1], tour_charts.MOST_NUMBERS)
            drawn = "" if wide == vectors.shape[1] else f", {wide} of them drawn"
            st.markdown(f"This is all that PT learned for {captions.literal(name)} in this run: {size}{drawn} (blue "
                        "above 0, brown below). None of these numbers can be read as a word.")
            st.altair_chart(tour_charts.vectors(vectors, board.large), width="stretch", key="vectors",
                            alt=f"The prompt as colours: {size}")
    question("How many shots does PT need here to beat the untrained backbone by more than its interval?",
             _clear(grid, name, references))


def _example(board: Board, task: Task | None, run: RunRecord | None, who: str) -> None:
    rows = tour_runs.dev_rows(task)
    if task is None or not rows:
        return
    at = int(board.number("row", "Dev sentence", (1.0, float(rows)), 1.0, 1.0,
                          "Dev rows have known labels, and no run trains on them.", "%d")) - 1
    config = run.config if run else {}
    vectors = tour_runs.vectors(run, task.name) if run else None
    length = len(vectors) if vectors is not None else config.get("prompt_length", 1)
    answer = tour_runs.answer(task.name, at, run)
    with st.container(border=True):
        st.markdown(tour_words.text_with_prompt(task, answer.texts, length, config.get("prefix", "neutral"),
                                                config.get("position", "after_prefix")))
    st.markdown(tour_words.answered(task, answer, who))


def _clear(grid: Grid, name: str, references: dict[str, float]) -> list[str]:
    bare = references.get("no prompt")
    if bare is None:
        return ["The untrained backbone was not scored in this experiment."]
    found = []
    for count in grid.shots:
        table = grid.at(count)
        for row in tour_runs.records(frames.summarise(table[(table["variant"] == "pt") & (table["column"] == name)])):
            told = {"gain": "clearly above", "lose": "clearly below", "undecided": "no clear difference"}
            scored = tour_words.score(row["value"], row["half"])
            found.append(f"{captions.plural(int(count), 'shot')}: {scored} against {100 * bare:.1f}, "
                         f"{told[tour_words.verdict(row['value'] - bare, row['half'])]}.")
    return found


def sharing(board: Board, grid: Grid) -> None:
    """PT compared with a method that shares, task by task, paired by seed."""
    others = [method for method in grid.methods if method != "pt"]
    if "pt" not in grid.methods or not others:
        lacking("This step needs completed runs of PT and of a method that shares, for example MST.")
        return
    left, right = halves()
    with left:
        st.markdown("**PT** shares nothing: each task learns from its own few rows. **MST** shares everything: one "
                    "prompt must serve all tasks. With sharing, a task also learns from the rows of related tasks, but "
                    "it has to put up with the rows of unrelated ones.")
        count = shots(board, grid)
        method = board.pick("against", "Compare with PT", others, others[0],
                            "ComPT shares in part: all tasks share the sources, and each has its own private prompt.",
                            {name: marked(name) for name in others})
        cells = frames.differences(grid.at(count), "pt")
        cells = cells[cells["row"] == method]
    if cells.empty:
        lacking(f"{label(method)} and PT have no completed run with the same seed at "
                f"{captions.plural(int(count), 'shot')}.")
        return
    lines = tour_words.sharing(cells, method)
    with right:
        st.altair_chart(tour_charts.gains(cells, method, board.large), width="stretch", key="gains",
                        alt=captions.plain(lines))
        components.findings(lines)
    question(f"Does {label(method)}'s kind of sharing help more with few rows or with many?", _by_shots(grid, method))


def _by_shots(grid: Grid, method: str) -> list[str]:
    found = []
    for count in grid.shots:
        cells = frames.differences(grid.at(count), "pt")
        mean = cells[(cells["row"] == method) & (cells["column"] == frames.MEAN)]
        found += [tour_words.difference(row, "pt", f"{captions.plural(int(count), 'shot')}: ")
                  for row in tour_runs.records(mean)]
    return found


def few_shots(board: Board, grid: Grid) -> None:
    """Every method's mean over tasks by shot count, and which differences are clear at one shot count."""
    left, right = halves()
    summary = frames.summaries(grid.scores)
    references = of_references(grid, frames.MEAN)
    with left:
        st.markdown("Sharing is hoped to help most when a task has only a handful of rows; with many rows it can learn "
                    "alone. See whether these runs confirm that. The bars are 95% t-intervals over seeds: where they "
                    "are wide, a single run says nothing.")
        count = shots(board, grid)
        lines = [tour_words.aloud(summary[summary["shots"] == int(count)], references, count),
                 *tour_words.told_apart(_pairs(grid, count))]
    with right:
        st.altair_chart(shot_curves(summary, references, int(count), LOOKS, board.large), width="stretch",
                        key="curves", alt=captions.plain(lines))
        components.findings(lines)
    question("Choose two methods: at which shot counts is there no clear difference between them?",
             [f"{captions.plural(int(n), 'shot')}: {' '.join(tour_words.told_apart(_pairs(grid, n)))}"
              for n in grid.shots])


def _pairs(grid: Grid, count: str) -> list[tuple[str, dict[str, Any]]]:
    """(baseline, line of frames.differences) for the means over tasks of every two methods."""
    table = grid.at(count)
    means = table[table["column"] == frames.MEAN]
    found = []
    for base, method in combinations(grid.methods, 2):
        rows = frames.differences(means[means["variant"].isin([base, method])], base)
        found += [(base, row) for row in tour_runs.records(rows)]
    return found


def what_next(board: Board, grid: Grid | None) -> None:
    """Where to go next, and three questions that the reader can answer with the dashboard."""
    left, right = halves()
    query = {state.EXPERIMENT: grid.experiment.id} if grid else {}
    with left:
        st.markdown("That is the whole method. You can train everything in this tour here, on the bundled model or on "
                    "your own.")
        for page, text, icon in (("home", "Run the demo with one click", "play_arrow"),
                                 ("launch", "Launch your own experiment", "rocket_launch")):
            st.page_link(components.page(page), label=text, icon=f":material/{icon}:")
        if grid:
            for page, text, icon in (("accuracy", "All scores of this tour's runs", "grid_on"),
                                     ("attention", "Their attention, for each run or on average", "hub"),
                                     ("gates", "Their gates", "tune")):
                st.page_link(components.page(page), label=text, icon=f":material/{icon}:", query_params=query)
    with right:
        st.markdown("**Three questions to try**\n"
                    "1. *Does a longer PT prompt catch up?* Launch PT alone with prompt length 10 instead of 3, ten "
                    "seeds, 16 shots.\n"
                    "2. *Does attention matter?* Launch SPP with attention `uniform` and with `learned`.\n"
                    "3. *How much does one seed tell you?* Launch any method with one seed, then with ten, and compare "
                    "your conclusions.")


def of_references(grid: Grid, column: str) -> dict[str, float]:
    """Name -> score of the untrained references for a task, or for the mean over tasks."""
    found = {name: tour_runs.reference(grid, row, column) for row, name in frames.REFERENCES.items()}
    return {name: value for name, value in found.items() if value is not None and not pd.isna(value)}


def halves() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Text and controls on the left, the figure on the right; one below the other in a narrow window."""
    grid = st.grid(2, min_column_width=460, gap="large")
    return grid.cell(), grid.cell()
