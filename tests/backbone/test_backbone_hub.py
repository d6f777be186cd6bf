"""Hub ids: fetched from a hub on this machine, and refused in seconds where none answers."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from published import write
from stand_in import Hub

from compt_core.backbone import hub
from compt_core.backbone.load import find_backbone, load_backbone
from compt_core.errors import BackboneError

Problem = Callable[[object], str]
At = Callable[[int], None]


def test_a_hub_id_is_downloaded_once_without_pickles_and_code(local_hub: Hub, online: pytest.MonkeyPatch, at: At
                                                              ) -> None:
    files = find_backbone("lab/tiny")
    assert files.hidden == 24
    assert {file.name for file in files.folder.iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert load_backbone(files, "cpu").hidden == 24
    fetched = list(local_hub.fetched)
    assert find_backbone("lab/tiny") == files
    assert local_hub.fetched == fetched
    at(9)  # where nobody answers
    assert find_backbone("lab/tiny") == files
    online.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert find_backbone("lab/tiny") == files


def test_without_fetching_the_hub_is_not_asked(local_hub: Hub, online: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackboneError, match=r"'lab/tiny' is not in the hub's cache .* backbone fetch lab/tiny'"):
        find_backbone("lab/tiny", fetch=False)
    assert not local_hub.asked
    find_backbone("lab/tiny")
    assert local_hub.asked


def test_what_is_in_the_cache_is_found_without_fetching(local_hub: Hub, online: pytest.MonkeyPatch) -> None:
    files, fetched = find_backbone("lab/tiny"), list(local_hub.fetched)
    online.setattr(hub, "download", lambda ref: pytest.fail(f"the hub was asked for {ref}"))
    assert find_backbone("lab/tiny", fetch=False) == files and local_hub.fetched == fetched


def test_a_model_that_the_hub_does_not_have_is_one_sentence(local_hub: Hub, problem: Problem) -> None:
    assert problem("lab/other") == "The hub has no public model 'lab/other'. Check the id, or give a local folder."
    assert problem("dmeo").endswith("Check the id, or give a local folder. Did you mean 'demo'?")


def test_a_hub_model_without_safetensors_is_refused(local_hub: Hub, problem: Problem) -> None:
    (local_hub.folder / "model.safetensors").unlink()
    message = problem("lab/tiny")
    assert "must hold its weights as .safetensors. Got only pickled weights (pytorch_model.bin)" in message
    assert "convert them with 'python -m compt_core backbone convert lab/tiny OUT', and give the folder" in message
    (local_hub.folder / "pytorch_model.bin").unlink()
    assert "must hold its weights as .safetensors. Got none;" in problem("lab/tiny")
    assert local_hub.fetched == []


def test_a_hub_that_refuses_is_one_sentence_at_once(online: pytest.MonkeyPatch, problem: Problem, at: At) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        at(free.getsockname()[1])
        start = time.monotonic()
        message = problem("lab/tiny")
    assert time.monotonic() - start < 30  # busy cores allowed for
    assert "'lab/tiny'" in message and "cannot be reached. Check the network, or download it elsewhere" in message


def test_a_hub_that_never_answers_is_given_up(online: pytest.MonkeyPatch, problem: Problem, at: At) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at(silent.getsockname()[1])
        online.setattr(hub, "HUB_SECONDS", 0.2)
        assert "it cannot be reached" in problem("lab/tiny")


def test_offline_by_choice_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Problem) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert "could not be fetched from the hub: HF_HUB_OFFLINE is set." in problem("lab/tiny")


# --- revisions and conversion branches


@pytest.fixture
def old(local_hub: Hub, tmp_path: Path, spieces: dict[str, Path]) -> Hub:
    """The hub with a model as google/t5-v1_1-small lies there: pickled on main, as safetensors on refs/pr/2 of the
    bot, and on refs/pr/1 and refs/pr/3 what somebody else put there under the same title."""
    main = write(tmp_path / "main", "t5-v1_1", spieces["t5"], pickled=True)
    branch = Path(shutil.copytree(main, tmp_path / "pr2"))
    write(branch, "t5-v1_1", spieces["t5"])
    local_hub.model.revisions = {"main": main, "refs/pr/2": branch}
    for number in (1, 3):
        local_hub.model.revisions[f"refs/pr/{number}"] = Path(shutil.copytree(branch, tmp_path / f"pr{number}"))
        local_hub.model.open(number, author={"name": "mallory"})
    local_hub.model.open(2)
    return local_hub


def test_the_conversion_branch_of_the_hubs_bot_stands_in_for_main(old: Hub, online: pytest.MonkeyPatch, at: At
                                                                  ) -> None:
    files = find_backbone("lab/tiny")
    commit = old.model.commit("refs/pr/2")
    assert files.revision == f"refs/pr/2, commit {commit}" and files.ref == "lab/tiny"
    assert sorted(old.fetched) == ["config.json", "model.safetensors", "spiece.model", "tokenizer_config.json"]
    assert load_backbone(files, "cpu").describe()["revision"] == files.revision
    asked = list(old.asked)
    assert find_backbone("lab/tiny", fetch=False) == files and old.asked == asked
    at(9)  # where nobody answers
    assert find_backbone("lab/tiny") == files
    online.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert find_backbone("lab/tiny") == find_backbone("lab/tiny", fetch=False) == files


@pytest.mark.parametrize("changes", [
    {"author": {"name": "mallory"}}, {"author": {"name": "SFconvertb0t"}}, {"title": "Adding safetensors"},
    {"status": "closed"}, {"status": "merged"}, {"isPullRequest": False}])
def test_no_other_branch_stands_in_for_main(changes: dict[str, object], old: Hub, problem: Problem) -> None:
    old.model.discussions.clear()
    old.model.open(2, **changes)
    assert "Got only pickled weights (pytorch_model.bin)" in problem("lab/tiny")
    assert old.fetched == []


@pytest.mark.parametrize("name", ["pytorch_model.bin", "config.json", "spiece.model", "tokenizer_config.json"])
def test_a_branch_made_of_older_files_is_named_and_not_used(name: str, old: Hub, problem: Problem) -> None:
    file = old.folder / name
    file.write_bytes(file.read_bytes() + b" ")
    assert problem("lab/tiny").endswith(
        "has only pickled weights on its main branch, and its conversion branch refs/pr/2 was made of older files. To "
        "use that one as it is, give 'lab/tiny@refs/pr/2'.")
    assert find_backbone("lab/tiny@refs/pr/2").revision.startswith("refs/pr/2, commit ")


def test_a_changed_model_card_does_not_end_the_branch(old: Hub) -> None:
    (old.folder / "README.md").write_text("---\nlicense: mit\n---\n")
    assert find_backbone("lab/tiny").revision.startswith("refs/pr/2, ")


def test_what_was_asked_for_by_revision_never_stands_in_for_main(old: Hub) -> None:
    """Somebody else's branch can be asked for by name. Offline, the plain id still is not that branch."""
    assert find_backbone("lab/tiny@refs/pr/3").revision.startswith("refs/pr/3, ")
    assert find_backbone("lab/tiny@refs/pr/3", fetch=False).ref == "lab/tiny@refs/pr/3"
    with pytest.raises(BackboneError, match="is not in the hub's cache"):
        find_backbone("lab/tiny", fetch=False)


def test_a_revision_may_be_a_branch_a_tag_or_a_commit(local_hub: Hub, tmp_path: Path) -> None:
    local_hub.model.revisions |= {"v1.0": local_hub.folder}
    commit = local_hub.model.commit("main")
    for revision, said in (("main", f"main, commit {commit}"), (commit, f"commit {commit}"),
                           ("v1.0", f"v1.0, commit {local_hub.model.commit('v1.0')}")):
        files = find_backbone(f"lab/tiny@{revision}")
        assert files.revision == said
        assert find_backbone(f"lab/tiny@{revision}", fetch=False) == files


def test_a_revision_that_is_not_there_is_one_sentence(local_hub: Hub, problem: Problem) -> None:
    message = problem("lab/tiny@refs/pr/7")
    assert "The hub's model 'lab/tiny' has no revision 'refs/pr/7'. Give a branch, a tag," in message


@pytest.mark.parametrize("revision", [
    "", "..", "a..b", "../../x", "/etc", "a//b", "a/", ".x", "a/.x", "a.lock", "a b", "a\nb", "a@b", "a?b", "a%2e", "é",
    "a\\b", "a" * 101, "-x", "a:b", "a.", "refs/pr/.."])
def test_a_hostile_revision_is_one_sentence_and_asks_nobody(revision: str, local_hub: Hub, problem: Problem) -> None:
    message = problem(f"lab/tiny@{revision}")
    assert "must be a branch, a tag, a commit or refs/pr/N. Got " in message and len(message) < 500
    assert local_hub.asked == []


@pytest.mark.parametrize("ref", ["lab/tiny/x@main", "@main", "a b@main", "../x@main", "x" * 97 + "@main", "é/x", "a--b",
                                 "my--model@main", "a..b", "a.git", "lab/t5.git", "lab/t5-", "lab./t5", "lab/t5."])
def test_what_is_no_id_is_no_id_with_a_revision(ref: str, problem: Problem) -> None:
    assert "is not a folder. Give 'demo', 'english', a folder with" in problem(ref)


def test_a_folder_may_have_an_at_in_its_name(copy: Path) -> None:
    assert find_backbone(str(copy.rename(copy.with_name("t5@main")))).revision == ""


def test_remarks_that_are_not_ours_are_left_alone(old: Hub, tmp_path: Path) -> None:
    find_backbone("lab/tiny")
    remarks = hub._remarks(hub.Asked("lab/tiny"))
    for name, content in (("x", "0" * 40), ("7", "../../../x"), ("8", "")):
        (remarks / name).write_text(content)
    assert hub.remembered(hub.Asked("lab/tiny")) == [(2, old.model.commit("refs/pr/2"))]
    assert find_backbone("lab/tiny", fetch=False).revision.startswith("refs/pr/2, ")
