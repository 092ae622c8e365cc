"""`container build` and `container verify`: the image as organisers run it, and faulty ones."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from l2r.errors import ContainerError
from l2r.formats.fields import write_field
from pipeline.cli import app
from pipeline.container.build import BuildRequest, build_image
from pipeline.container.record import read_record
from tests.container.engine import Engine
from tests.container.pairs import enlarged_pair
from tests.container.small_images import FIELD, built, knowing

QUICK = """
[model]
name = "identity"

[[refine]]
name = "instance_optimisation"

[[refine.regularisers]]
weight = 0.1
term = { name = "diffusion" }

[[refine.levels]]
shrink = 4
control = 4
similarity = { name = "lncc", window = 7 }
steps = 40
learning_rate = 0.3
"""
NOBODY = "USER 10001:10001"
Verify = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def brains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """List of one pair in LUMIR's grid."""
    return enlarged_pair(tmp_path_factory.mktemp("brains"), "lumir24")


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """List of one pair of visits in PSMAReg's grid."""
    return enlarged_pair(tmp_path_factory.mktemp("patient"), "psmareg26")


@pytest.fixture(scope="module")
def quick(engine: Engine, image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The pipeline's image with a default that takes seconds."""
    folder = tmp_path_factory.mktemp("quick")
    (folder / "quick.toml").write_text(QUICK)
    return built(
        engine,
        folder,
        f"FROM {image}",
        "COPY quick.toml /app/configs/t1_default.toml",
        "COPY quick.toml /app/configs/any_default.toml",
    )


@pytest.fixture
def verify(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Verify:
    """Call `container verify` on the tests' engine; exit code and all that it prints."""
    monkeypatch.setenv("DOCKER_HOST", engine.base_url)

    def call(*words: str | Path) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["container", "verify", *map(str, words)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return call


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("contract", ["lumir24", "lumir25", "psmareg26", "grand-challenge"])
def test_every_organiser_would_accept_the_image(
    verify: Verify, quick: str, brains: Path, patient: Path, tmp_path: Path, contract: str
) -> None:
    dataset = patient if contract == "psmareg26" else brains
    out = tmp_path / "out"
    words = ("--contract", contract, "--dataset", dataset, "--output", out, "--memory", "4")
    code, told = verify(quick, *words)
    assert code == 0, told
    assert f"{contract} would accept it" in told
    report = read_record(out)
    assert report.problems == []
    assert [run.exit_code for run in report.runs] == [0]
    assert 0.2 < report.peak_gib < 4
    assert all(1 < seconds < 300 for seconds in report.seconds.values())
    assert report.machine.gpu is None
    assert report.user != "0:0"


@pytest.mark.docker
def test_a_field_that_is_right_is_accepted_whoever_wrote_it(
    verify: Verify, engine: Engine, base_image: str, brains: Path, tmp_path: Path
) -> None:
    tag = knowing(engine, base_image, tmp_path)
    code, told = verify(tag, "--contract", "lumir24", "--dataset", brains)
    assert code == 0, told


@pytest.mark.docker
def test_ended_from_outside_it_leaves_no_container(
    engine: Engine, base_image: str, brains: Path, tmp_path: Path
) -> None:
    tag = built(engine, tmp_path, f"FROM {base_image}", NOBODY, 'ENTRYPOINT ["sleep", "600"]')
    words = ["container", "verify", tag, "--contract", "lumir24", "--dataset", str(brains)]
    mine = {"ancestor": tag}
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", *words],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"DOCKER_HOST": engine.base_url},
    ) as process:
        deadline = time.monotonic() + 120
        while not engine.client.containers.list(filters=mine):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.2)
        time.sleep(1)  # it is looked at now
        process.terminate()
        assert process.wait(60) == 130
    assert not engine.client.containers.list(all=True, filters=mine)


FAULTY = {
    "root": (['ENTRYPOINT ["true"]'], "image: runs as root (no USER)"),
    "nothing to start": ([NOBODY], "could not be started: No command specified"),
    "no such program": ([NOBODY, 'ENTRYPOINT ["/nowhere"]'], "could not be started: "),
    "writes nothing": ([NOBODY, 'ENTRYPOINT ["true"]'], f"{FIELD}: missing"),
    "fails": (
        [NOBODY, 'ENTRYPOINT ["sh", "-c", "echo it broke; exit 3"]'],
        f"{FIELD}: exit code 3: it broke",
    ),
    "writes outside": (
        ["RUN mkdir -m 777 /data", NOBODY, 'ENTRYPOINT ["touch", "/data/cache"]'],
        "wrote outside of its output: /data/cache; write to /tmp instead",
    ),
    "cannot write": (
        ["RUN touch /cache", NOBODY, 'ENTRYPOINT ["touch", "/cache"]'],
        "exit code 1: touch: cannot touch '/cache': Permission denied",
    ),
    "writes too much": (
        [NOBODY, 'ENTRYPOINT ["touch", "/output/cache.bin"]'],
        "other files: 1 file that no pair needs (cache.bin); the scorer ignores it",
    ),
    "needs the network": (
        [
            NOBODY,
            'ENTRYPOINT ["perl", "-MSocket=getaddrinfo", "-e", '
            '"my ($e) = getaddrinfo(q(example.org), 80); die $e if $e"]',
        ],
        "looks for a network, and there is none",
    ),
    "needs more memory": (
        [NOBODY, 'ENTRYPOINT ["perl", "-e", "$x = q(a) x 1e9; print length $x"]'],
        "killed: it needs more than 0.25 GiB",
    ),
}


@pytest.mark.docker
@pytest.mark.parametrize("fault", FAULTY)
def test_a_faulty_image_would_be_rejected(
    verify: Verify, engine: Engine, base_image: str, brains: Path, tmp_path: Path, fault: str
) -> None:
    lines, message = FAULTY[fault]
    tag = built(engine, tmp_path, f"FROM {base_image}", *lines)
    words = ("--contract", "lumir24", "--dataset", brains, "--memory", "0.25")
    code, told = verify(tag, *words)
    assert code == 1
    assert message in " ".join(told.split())
    assert "lumir24 would reject it" in told


@pytest.mark.docker
def test_paths_without_an_entry_point_are_taken_for_a_command(
    verify: Verify, engine: Engine, base_image: str, patient: Path, tmp_path: Path
) -> None:
    tag = built(engine, tmp_path, f"FROM {base_image}", NOBODY, 'CMD ["true"]')
    code, told = verify(tag, "--contract", "psmareg26", "--dataset", patient)
    assert code == 1
    assert "has no ENTRYPOINT" in told
    assert "could not be started" in told


@pytest.mark.docker
def test_a_wrong_shape_would_be_rejected(
    verify: Verify, engine: Engine, base_image: str, brains: Path, tmp_path: Path
) -> None:
    write_field(tmp_path / FIELD, np.ones((16, 16, 16, 3), np.float32), np.eye(4))
    copy = f'ENTRYPOINT ["cp", "/{FIELD}", "/output/{FIELD}"]'
    tag = built(engine, tmp_path, f"FROM {base_image}", f"COPY {FIELD} /{FIELD}", NOBODY, copy)
    code, told = verify(tag, "--contract", "lumir24", "--dataset", brains)
    assert code == 1
    assert "shape (16, 16, 16, 3), but task 'lumir24' asks for (160, 224, 192, 3)" in told


@pytest.mark.docker
def test_a_platform_sees_files_that_no_socket_asks_for(
    verify: Verify, engine: Engine, base_image: str, brains: Path, tmp_path: Path
) -> None:
    script = "grep -q fixed-image /input/inputs.json && touch /output/notes.txt"
    tag = built(
        engine, tmp_path, f"FROM {base_image}", NOBODY, f'ENTRYPOINT ["sh", "-c", "{script}"]'
    )
    code, told = verify(tag, "--contract", "grand-challenge", "--dataset", brains)
    assert code == 1
    assert "/notes.txt: no socket asks for them" in told


@pytest.mark.docker
def test_a_platform_drops_what_a_container_may_do(
    verify: Verify, engine: Engine, base_image: str, brains: Path, tmp_path: Path
) -> None:
    """All capabilities are gone, no program gains any, and 128 processes are the most."""
    script = (
        "grep -q ^CapBnd:.*0000000000000000 /proc/self/status && "
        "grep -q ^NoNewPrivs:.*1 /proc/self/status && "
        "test $(cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2> /dev/null) = 128 && "
        "echo as strict as can be && exit 7"
    )
    tag = built(
        engine, tmp_path, f"FROM {base_image}", NOBODY, f'ENTRYPOINT ["sh", "-c", "{script}"]'
    )
    _, told = verify(tag, "--contract", "grand-challenge", "--dataset", brains)
    assert "exit code 7: as strict as can be" in told


@pytest.mark.docker
@pytest.mark.parametrize("contract", ["lumir24", "grand-challenge"])
def test_no_organiser_has_a_network(
    verify: Verify,
    engine: Engine,
    base_image: str,
    brains: Path,
    tmp_path: Path,
    contract: str,
) -> None:
    script = "echo there is $(ls /sys/class/net) alone; exit 7"
    tag = built(
        engine, tmp_path, f"FROM {base_image}", NOBODY, f'ENTRYPOINT ["sh", "-c", "{script}"]'
    )
    _, told = verify(tag, "--contract", contract, "--dataset", brains)
    assert "exit code 7: there is lo alone" in told


@pytest.mark.docker
def test_weights_are_mounted_for_a_platform_only(
    verify: Verify, engine: Engine, base_image: str, brains: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights.txt").write_text("the weights\n")
    cat = 'ENTRYPOINT ["sh", "-c", "cat /opt/ml/model/weights.txt; exit 5"]'
    tag = built(engine, tmp_path, f"FROM {base_image}", NOBODY, cat)
    words = ("--dataset", brains, "--model", model)
    assert "exit code 5: the weights" in verify(tag, "--contract", "grand-challenge", *words)[1]
    code, told = verify(tag, "--contract", "lumir24", *words)
    assert (code, told) == (
        2,
        "error: --model is for grand-challenge; lumir24 mounts no weights\n",
    )


@pytest.mark.docker
def test_what_cannot_be_tried_is_said_in_one_line(
    verify: Verify, brains: Path, tmp_path: Path
) -> None:
    code, told = verify("nowhere", "--contract", "lumir24", "--dataset", brains)
    assert (code, told.count("\n")) == (2, 1)
    assert told.startswith("error: nowhere: the engine has no such image")
    code, told = verify("nowhere", "--contract", "lumir99", "--dataset", brains)
    assert (code, told.startswith("error: no contract 'lumir99'")) == (2, True)
    (tmp_path / "fields").mkdir()
    code, told = verify(
        "nowhere", "--contract", "lumir24", "--dataset", brains, "--output", tmp_path
    )
    assert code == 2
    assert "is there already; give --output a new folder" in told


@pytest.mark.parametrize("command", ["build", "verify"])
def test_without_an_engine_there_is_one_line_and_what_to_try(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    words = ["regatta", "--contract", "lumir24"] if command == "verify" else []
    result = CliRunner().invoke(app, ["container", command, *words])
    assert result.exit_code == 2
    assert result.stderr.startswith(
        f"error: no container engine answers at {tmp_path}/nowhere.sock: "
    )
    assert "DOCKER_HOST=" in result.stderr
    assert result.stderr.count("\n") == 1


def test_help_needs_neither_docker_nor_torch() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from pipeline.cli import app; "
        "told = CliRunner().invoke(app, ['container', 'verify', '--help']).stdout; "
        "assert '--contract' in told; "
        "assert not {'docker', 'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"COLUMNS": "200"})


@pytest.mark.docker
def test_the_image_is_built_step_by_step(
    engine: Engine,
    image: str,
    context: Path,
    build_args: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same build again, which costs nothing, but with our own command's code."""
    monkeypatch.setenv("DOCKER_HOST", engine.base_url)
    told: list[str] = []
    again = build_image(BuildRequest("again", dict(build_args), "host"), told.append, context)
    assert again.id == engine.client.images.get(image).id
    assert again.name == "again:latest"
    assert told[0].startswith("Step 1/")
    assert all(len(line) <= 100 for line in told)


@pytest.mark.docker
def test_a_step_that_fails_is_named_with_its_last_words(
    engine: Engine, base_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine.base_url)
    lines = (f"FROM {base_image} AS run", "RUN echo no such wheel >&2; exit 4")
    (tmp_path / "Dockerfile").write_text("\n".join(lines))
    with pytest.raises(ContainerError, match=r"Step 2/2 : RUN .*: no such wheel; .* code: 4") as e:
        build_image(BuildRequest("broken", {}, "none"), [].append, tmp_path)
    assert "\n" not in str(e.value)


def test_a_record_that_cannot_be_read_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match=r"verified\.json: no such file; make it with"):
        read_record(tmp_path)
    (tmp_path / "verified.json").write_text("{}")
    with pytest.raises(ContainerError, match=r"verified\.json: regatta: field required"):
        read_record(tmp_path)
