"""``python -m compt_core backbone list | check | fetch | convert``, against a hub on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from published import write
from stand_in import Hub

from compt_core.backbone.about import about, size
from compt_core.backbone.here import on_this_machine
from compt_core.backbone.load import find_backbone
from compt_core.cli import main as cli
from compt_core.cli.backbone import _lines
from tests.cli.conftest import Call, Done


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """The command group in this process; what is written has single spaces."""
    def run(*words: object) -> Done:
        capsys.readouterr()
        code = cli.main(["backbone", *map(str, words)])
        out, err = capsys.readouterr()
        return Done(code, " ".join(out.split()), err)

    return run


@pytest.fixture
def old(local_hub: Hub, tmp_path: Path, spieces: dict[str, Path]) -> Hub:
    """A model with pickled weights on main and safetensors on refs/pr/2."""
    main = write(tmp_path / "main", "t5-v1_1", spieces["t5"], pickled=True)
    branch = write(Path(shutil.copytree(main, tmp_path / "pr2")), "t5-v1_1", spieces["t5"])
    local_hub.model.revisions = {"main": main, "refs/pr/2": branch}
    local_hub.model.card = {"license": "apache-2.0"}
    local_hub.model.open(2)
    return local_hub


def test_check_of_the_demo_and_of_a_folder(call: Call, tiny_t5: Path) -> None:
    done = call("check", "demo")
    assert done.code == 0 and done.err == ""
    for words in ("bundled with the project", "t5: ", "trained on GLUE no. It was trained on a made-up language.",
                  "can be used yes"):
        assert words in done.out, done.out
    done = call("check", tiny_t5)
    assert done.code == 0 and "a folder on this machine" in done.out and "trained on GLUE unknown." in done.out
    parameters = sum(value.numel() for value in load(tiny_t5).values())
    assert f"parameters {parameters:,}" in done.out and "hidden size 24" in done.out and "licence not named" in done.out


def load(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def test_check_of_a_model_on_the_hub_downloads_no_weights(old: Hub, call: Call, tmp_path: Path) -> None:
    done = call("check", "lab/tiny")
    assert done.code == 0, done
    weights = old.model.revisions["refs/pr/2"] / "model.safetensors"
    read = [weights, *(weights.parent / name for name in ("config.json", "spiece.model", "tokenizer_config.json"))]
    for words in ("where on the hub", f"revision refs/pr/2, commit {old.model.commit('refs/pr/2')}",
                  f"to be downloaded {size(sum(file.stat().st_size for file in read))}", "licence apache-2.0",
                  "tokenizer spiece.model", "head of its own", "trained on GLUE unknown", "can be used yes"):
        assert words in done.out, (words, done.out)
    assert set(old.fetched) <= {"config.json", "tokenizer_config.json"}
    assert [one.ref for one in on_this_machine()] == ["demo"]


def test_check_says_what_stands_in_the_way(old: Hub, call: Call) -> None:
    old.model.discussions.clear()
    done = call("check", "lab/tiny")
    assert done.code == 2 and "can be used no" in done.out
    assert "convert them with 'python -m compt_core backbone convert lab/tiny OUT'" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("config", ['{"model_type": "bert"}', "[", '{"model_type": "t5", "d_model": 0}',
                                    '{"model_type": "t5", "architectures": ["T5EncoderModel"]}'])
def test_check_reads_the_settings_on_the_hub(config: str, local_hub: Hub, call: Call) -> None:
    (local_hub.folder / "config.json").write_text(config)
    done = call("check", "lab/tiny")
    assert done.code == 2 and "can be used no" in done.out and done.err.count("\n") == 1
    assert "model.safetensors" not in local_hub.fetched


def test_fetch_then_check_and_list_without_a_network(
    old: Hub, call: Call, at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = call("fetch", "lab/tiny")
    assert done.code == 0 and "can be used: hidden size 24, refs/pr/2, commit " in done.out
    assert done.err.startswith("Fetching 4 files of 'lab/tiny' (refs/pr/2, commit ")
    assert find_backbone("lab/tiny", fetch=False).hidden == 24
    at(9)  # where nobody answers
    done = call("check", "lab/tiny")
    assert done.code == 0 and "in the hub's cache on this machine" in done.out and "can be used yes" in done.out
    done = call("check", "Demo")
    assert "hub could not be asked: it cannot be reached." in done.err and "Did you mean 'demo'?" in done.err
    done = call("list")
    assert "lab/tiny t5 24" in done.out and "demo t5" in done.out and done.out.endswith("yes")
    assert "could not be fetched from the hub: it cannot be reached" in call("fetch", "lab/other").err


def test_a_large_file_is_told_of_in_lines(old: Hub, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compt_core.cli.backbone._LARGE", 1000)
    lines = call("fetch", "lab/tiny").err.splitlines()
    weights = [line for line in lines if line.startswith("model.safetensors: ")]
    assert weights and weights[-1].partition(": ")[2].split(" of ")[0] == weights[-1].rpartition(" of ")[2]
    assert len(weights) <= 10 and any(line.startswith("spiece.model: ") for line in lines)


def test_the_hubs_fast_way_to_download_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Large files of the hub come by another protocol, which has two bars of its own."""
    from types import SimpleNamespace

    from huggingface_hub.utils._xet_progress_reporting import XetDownloadProgressReporter

    with XetDownloadProgressReporter(reconstruction_desc="a", transfer_desc="b", total=50_000_000, log_level=0,
                                     name="x", tqdm_class=_lines("model.safetensors")) as reporter:
        for done in range(0, 50_000_001, 1_000_000):
            reporter.update_progress(SimpleNamespace(
                total_bytes=50_000_000, total_bytes_completed=done, total_transfer_bytes_completed=done // 2,
                total_bytes_completion_rate=1.0, total_transfer_bytes_completion_rate=1.0))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 10 and said[0] == "model.safetensors: 5 MB of 50 MB"
    assert said[-1] == "model.safetensors: 50 MB of 50 MB"


def test_list_names_each_revision(old: Hub, call: Call) -> None:
    find_backbone("lab/tiny@refs/pr/2")
    assert [one.ref for one in on_this_machine()] == ["demo", "lab/tiny@refs/pr/2"]
    find_backbone("lab/tiny")
    assert [one.ref for one in on_this_machine()] == ["demo", "lab/tiny"]


def test_list_says_that_a_cut_off_model_cannot_be_used(local_hub: Hub, call: Call) -> None:
    files = find_backbone("lab/tiny")
    assert "lab/tiny t5 24" in call("list").out and "backbone check" not in call("list").out
    weights = (files.folder / "model.safetensors").resolve()
    weights.write_bytes(weights.read_bytes()[:-9])
    assert call("list").out.endswith("unknown no; see 'backbone check'")


@pytest.mark.parametrize(("words", "says"), [
    (("check", "../nowhere"), "is not a folder. Give 'demo', 'english', a folder with a T5"),
    (("check", "lab/tiny@../x"), "must be a branch, a tag, a commit or refs/pr/N."),
    (("check", "lab/none"), "The hub has no public model 'lab/none'."),
    (("fetch", "demo"), "The backbone 'demo' comes with the project and needs no download."),
    (("check", "my--model"), "is not a folder. Give 'demo', 'english', a folder with a T5"),
    (("fetch", "a/b/c"), "Only 'english' or a hub id can be fetched"),
    (("fetch", "lab/tiny@v9"), "has no revision 'v9'"),
    (("convert", "lab/tiny", ""), "The folder OUT must be new or empty"),
    (("convert", "lab/tiny", "new"), "needs no conversion"),
    (("check",), "See 'python -m compt_core backbone check --help'."),
    (("nope",), "See 'python -m compt_core backbone --help'."),
])
def test_bad_input_is_one_line(words: tuple[str, ...], says: str, local_hub: Hub, call: Call) -> None:
    done = call(*words)
    assert done.code == 2 and done.err.count("\n") == 1 and done.out == ""
    assert any(one in done.err for one in says.split("|")), done.err


@pytest.mark.slow
def test_convert_from_the_command_line(old: Hub, call: Call, tmp_path: Path) -> None:
    done = call("convert", old.folder, tmp_path / "new")
    assert done.code == 0 and "all weights as safetensors" in done.out
    assert call("check", tmp_path / "new").code == 0


def test_the_licence_of_a_folder_is_that_of_its_card(copy: Path) -> None:
    for text, licence in (("---\nlanguage: en\nlicense: apache-2.0\n---\n# x", "apache-2.0"), ("# license: mit", None),
                          ("x\n---\nlicense: mit\n---\n", None), ("---\na: b\n---\nlicense: mit\n", None)):
        (copy / "README.md").write_text(text)
        assert about(str(copy)).licence == licence


def test_sizes_in_words() -> None:
    assert [size(number) for number in (0, 999, 1_000, 307_867_048, 44_541_580_809)] == [
        "0 bytes", "999 bytes", "1 kB", "308 MB", "44.5 GB"]
