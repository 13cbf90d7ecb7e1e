"""The six datasets: right values, or one clear line that says what to do."""

import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from adversarial_oversampling.data import sources
from adversarial_oversampling.data.sources import (
    load_credit,
    load_haberman,
    load_pima,
    load_secom,
    load_wafer,
    load_yeast,
)
from adversarial_oversampling.data.splits import holdout
from adversarial_oversampling.data.table import Table, check_classes, make_table
from adversarial_oversampling.errors import InputError

# name: (loader, files, features, class names by falling size, class sizes, missing values)
PUBLISHED = {
    "secom": (load_secom, ("secom.data", "secom_labels.data"), 590, ("-1", "1"), (1463, 104), 41951),
    "pima": (load_pima, ("pima-indians-diabetes.csv",), 8, ("0", "1"), (500, 268), 0),
    "haberman": (load_haberman, ("haberman.data",), 3, ("1", "2"), (225, 81), 0),
    "wafer": (load_wafer, ("Wafer_TRAIN.tsv", "Wafer_TEST.tsv"), 152, ("1", "-1"), (6402, 762), 0),
    "credit": (load_credit, ("cs-training.csv",), 10, ("0", "1"), (139974, 10026), 29731 + 3924),
    "yeast": (
        load_yeast,
        ("yeast.data",),
        8,
        ("CYT", "NUC", "MIT", "ME3", "ME2", "ME1", "EXC", "VAC", "POX", "ERL"),
        (463, 429, 244, 163, 51, 44, 35, 30, 20, 5),
        0,
    ),
}
SHIPPED = ("pima", "haberman", "yeast")
DOWNLOADED = ("secom", "wafer", "credit")

CONF = Path(__file__).parents[2] / "conf" / "dataset"

Serve = Callable[[str, bytes], str]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Put bytes behind a URL on the loopback interface."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def put(name: str, content: bytes) -> str:
        (folder / name).write_bytes(content)
        return f"http://127.0.0.1:{server.server_port}/{name}"

    yield put
    server.shutdown()
    server.server_close()


def closed_port_url() -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Quiet)
    server.server_close()
    return f"http://127.0.0.1:{server.server_port}/table"


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def kept(cache: Path) -> list[Path]:
    return list(cache.iterdir()) if cache.exists() else []


def failure(call: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    return message


class TestPublishedTables:
    @pytest.mark.parametrize("name", PUBLISHED)
    def test_counts(self, name: str, data_dir: Path, tmp_path: Path) -> None:
        loader, _, n_features, class_names, sizes, n_missing = PUBLISHED[name]
        table = loader(data_dir=str(data_dir), cache_dir=str(tmp_path))
        assert table.name == name
        assert table.x.shape == (sum(sizes), n_features)
        assert table.x.dtype == np.float64
        assert table.y.dtype == np.int64
        assert len(table.feature_names) == n_features
        assert table.class_names == class_names
        assert tuple(np.bincount(table.y)) == sizes
        assert np.isnan(table.x).sum() == n_missing
        assert (table.test_rows is not None) == (name == "wafer")

    def test_secom_values(self, data_dir: Path) -> None:
        table = load_secom(data_dir=str(data_dir), cache_dir="unused")
        assert table.x[0, :3].tolist() == [3030.93, 2564.0, 2187.7333]
        assert table.y[:4].tolist() == [0, 0, 1, 0]
        missing = np.isnan(table.x).any(axis=0)
        assert missing.sum() == 538
        constant = np.fmin.reduce(table.x) == np.fmax.reduce(table.x)
        assert constant.sum() == 116

    def test_wafer_keeps_the_split_of_the_archive(self, data_dir: Path) -> None:
        table = load_wafer(data_dir=str(data_dir), cache_dir="unused")
        assert table.test_rows is not None
        assert table.test_rows.tolist() == list(range(1000, 7164))
        assert np.bincount(table.y[:1000]).tolist() == [903, 97]
        assert np.bincount(table.y[table.test_rows]).tolist() == [5499, 665]
        assert table.x[0, 0] == -1.6022936
        assert table.x[1000, 0] == -1.0797068

    def test_credit_leaves_out_the_index_column(self, data_dir: Path) -> None:
        table = load_credit(data_dir=str(data_dir), cache_dir="unused")
        assert table.x[0, :2].tolist() == [0.766126609, 45.0]
        assert table.y[0] == 1
        missing = np.isnan(table.x).sum(axis=0)
        found = {name: n for name, n in zip(table.feature_names, missing, strict=True) if n}
        assert found == {"MonthlyIncome": 29731, "NumberOfDependents": 3924}

    def test_pima_zeros_are_not_missing(self) -> None:
        assert (load_pima(data_dir=None).x[:, 4] == 0).sum() == 374

    @pytest.mark.parametrize("name", SHIPPED)
    def test_shipped_copy_equals_the_original(self, name: str, data_dir: Path) -> None:
        loader = PUBLISHED[name][0]
        shipped, original = loader(data_dir=None), loader(data_dir=str(data_dir))
        assert shipped.digest == original.digest
        assert np.array_equal(shipped.x, original.x)

    @pytest.mark.parametrize("name", SHIPPED)
    def test_shipped_copy_serves_where_data_dir_lacks_the_file(self, name: str, tmp_path: Path) -> None:
        loader = PUBLISHED[name][0]
        assert loader(data_dir=str(tmp_path)).digest == loader(data_dir="").digest

    def test_line_ends_make_no_difference(self, tmp_path: Path) -> None:
        lines = (sources._SHIPPED / "haberman.data").read_bytes()
        (tmp_path / "haberman.data").write_bytes(lines.replace(b"\n", b"\r\n"))
        assert load_haberman(data_dir=str(tmp_path)).digest == load_haberman(data_dir=None).digest


class TestConfig:
    @pytest.mark.parametrize("name", PUBLISHED)
    def test_published(self, name: str, data_dir: Path, tmp_path: Path) -> None:
        paths = {"data_dir": str(data_dir), "cache_dir": str(tmp_path)}
        config = OmegaConf.create({"paths": paths, "dataset": OmegaConf.load(CONF / f"{name}.yaml")})
        assert config.dataset.name == name
        table = instantiate(config.dataset.source)
        settings = instantiate(config.dataset.preprocessing)
        split = holdout(table, config.dataset.split.test_size, None, 0)
        assert settings.transform(table, split.train, tmp_path).shape == table.x.shape


class TestBadFiles:
    def test_data_dir_does_not_exist(self, tmp_path: Path) -> None:
        message = failure(lambda: load_haberman(data_dir=str(tmp_path / "absent")))
        assert message.startswith("paths.data_dir")
        assert str(tmp_path / "absent") in message

    @pytest.mark.parametrize(
        ("loader", "present", "absent"),
        [
            (load_secom, "secom.data", "secom_labels.data"),
            (load_secom, "secom_labels.data", "secom.data"),
            (load_wafer, "Wafer_TEST.tsv", "Wafer_TRAIN.tsv"),
        ],
    )
    def test_one_of_two_files_is_missing(
        self, loader: Callable[..., Table], present: str, absent: str, tmp_path: Path
    ) -> None:
        (tmp_path / present).write_text("1 2\n")
        message = failure(lambda: loader(data_dir=str(tmp_path), cache_dir="unused"))
        assert message.startswith("paths.data_dir")
        assert f"lacks {absent};" in message

    @pytest.mark.parametrize(
        ("old", "new", "reason"),
        [
            (b"30,64,1,1", b"30,64,2,1", "values are not those"),
            (b"30,64,1,1", b"30,64,1,2", "values are not those"),
            (b"30,64,1,1", b"30,64,1,7", "values are not those"),
            (b"30,64,1,1\n", b"", "values are not those"),
            (b"30,62,3,1", b"30,62,3", "values are not those"),
            (b"30,64,1,1", b"30,64,one,1", "cannot be parsed"),
            (b"30,62,3,1", b"30,62,3,1,5", "cannot be parsed"),
            (b",", b";", "cannot be parsed"),
        ],
    )
    def test_altered_file(self, old: bytes, new: bytes, reason: str, tmp_path: Path) -> None:
        original = (sources._SHIPPED / "haberman.data").read_bytes()
        assert old in original
        file = tmp_path / "haberman.data"
        file.write_bytes(original.replace(old, new) if old == b"," else original.replace(old, new, 1))
        message = failure(lambda: load_haberman(data_dir=str(tmp_path)))
        assert message.startswith(str(file))
        assert reason in message
        assert "fetch the published file" in message

    @pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"1\n2\n", b"<html></html>"])
    @pytest.mark.parametrize("name", PUBLISHED)
    def test_file_of_something_else(self, name: str, content: bytes, tmp_path: Path) -> None:
        loader, files, *_ = PUBLISHED[name]
        for file in files:
            (tmp_path / file).write_bytes(content)
        message = failure(lambda: loader(data_dir=str(tmp_path), cache_dir="unused"))
        assert str(tmp_path / files[0]) in message
        assert "fetch the published file" in message

    @pytest.mark.parametrize("name", DOWNLOADED)
    def test_one_altered_value(self, name: str, data_dir: Path, tmp_path: Path) -> None:
        loader, files, *_ = PUBLISHED[name]
        for file in files:
            (tmp_path / file).write_bytes((data_dir / file).read_bytes())
        old, new = {
            "secom": (b"2187.7333", b"2187.7334"),
            "wafer": (b"-1.6708228", b"-1.6708238"),
            "credit": (b"0.766126609", b"0.766126709"),
        }[name]
        content = (tmp_path / files[0]).read_bytes()
        (tmp_path / files[0]).write_bytes(content.replace(old, new, 1))
        message = failure(lambda: loader(data_dir=str(tmp_path), cache_dir="unused"))
        assert str(tmp_path / files[0]) in message
        assert f"published {name} table" in message

    def test_labels_and_rows_of_different_number(self, data_dir: Path, tmp_path: Path) -> None:
        (tmp_path / "secom.data").write_bytes((data_dir / "secom.data").read_bytes())
        labels = (data_dir / "secom_labels.data").read_bytes().splitlines(keepends=True)
        (tmp_path / "secom_labels.data").write_bytes(b"".join(labels[:-1]))
        message = failure(lambda: load_secom(data_dir=str(tmp_path), cache_dir="unused"))
        assert str(tmp_path / "secom_labels.data") in message

    def test_credit_without_a_column(self, data_dir: Path, tmp_path: Path) -> None:
        content = (data_dir / "cs-training.csv").read_bytes().replace(b"DebtRatio", b"Debt", 1)
        (tmp_path / "cs-training.csv").write_bytes(content)
        message = failure(lambda: load_credit(data_dir=str(tmp_path), cache_dir="unused"))
        assert "no column DebtRatio" in message


class TestDownloads:
    def test_secom(self, data_dir: Path, serve: Serve, tmp_path: Path) -> None:
        names = ("secom.data", "secom_labels.data")
        url = serve("secom.zip", zipped({name: (data_dir / name).read_bytes() for name in names}))
        cache = tmp_path / "cache"
        # A data_dir with none of the files is no obstacle.
        table = load_secom(data_dir=str(tmp_path), cache_dir=str(cache), url=url)
        assert table.digest == load_secom(data_dir=str(data_dir), cache_dir="unused").digest
        assert len(list(cache.iterdir())) == 1

    def test_second_load_does_not_download(self, data_dir: Path, serve: Serve, tmp_path: Path) -> None:
        content = (data_dir / "cs-training.csv").read_bytes()
        url = serve("cs-training.csv", content)
        first = load_credit(data_dir=None, cache_dir=str(tmp_path / "cache"), url=url)
        (tmp_path / "served" / "cs-training.csv").unlink()
        second = load_credit(data_dir=None, cache_dir=str(tmp_path / "cache"), url=url)
        assert first.digest == second.digest

    @pytest.mark.parametrize("number", ["{:16.7e}", "{:.17g}"])
    def test_wafer_in_another_number_format(
        self, number: str, data_dir: Path, serve: Serve, tmp_path: Path
    ) -> None:
        members = {}
        for part in ("TRAIN", "TEST"):
            rows = (data_dir / f"Wafer_{part}.tsv").read_text().splitlines()
            lines = (" ".join(number.format(float(text)) for text in row.split()) for row in rows)
            members[f"Wafer/Wafer_{part}.txt"] = "\r\n".join(lines).encode()
        url = serve("Wafer.zip", zipped(members))
        table = load_wafer(data_dir=None, cache_dir=str(tmp_path / "cache"), url=url)
        assert table.digest == load_wafer(data_dir=str(data_dir), cache_dir="unused").digest

    def test_credit_parquet_mirror(self, data_dir: Path, serve: Serve, tmp_path: Path) -> None:
        frame = pd.read_csv(data_dir / "cs-training.csv", index_col=0)
        target = frame.pop("SeriousDlqin2yrs")
        frame["age"] = frame["age"].astype(np.uint8)
        frame = frame[frame.columns[::-1]]
        frame["FinancialDistressNextTwoYears"] = pd.Categorical(np.where(target == 1, "Yes", "No"))
        url = serve("dataset.pq", frame.to_parquet(None))
        table = load_credit(data_dir=None, cache_dir=str(tmp_path / "cache"), url=url)
        assert table.digest == load_credit(data_dir=str(data_dir), cache_dir="unused").digest

    @pytest.mark.parametrize(
        "content", [b"", b"<html>not found</html>", zipped({"other.txt": b"1"}), b"1\n2\n"]
    )
    @pytest.mark.parametrize("name", DOWNLOADED)
    def test_what_is_not_the_published_table_does_not_enter_the_cache(
        self, name: str, content: bytes, serve: Serve, tmp_path: Path
    ) -> None:
        loader, files, *_ = PUBLISHED[name]
        url = serve("file", content)
        cache = tmp_path / "cache"
        message = failure(lambda: loader(data_dir=None, cache_dir=str(cache), url=url))
        for part in (url, "paths.data_dir", *files):
            assert part in message
        assert kept(cache) == []

    def test_one_altered_value_does_not_enter_the_cache(
        self, data_dir: Path, serve: Serve, tmp_path: Path
    ) -> None:
        members = {name: (data_dir / name).read_bytes() for name in ("secom.data", "secom_labels.data")}
        members["secom.data"] = members["secom.data"].replace(b"3030.93", b"3030.94", 1)
        url = serve("secom.zip", zipped(members))
        cache = tmp_path / "cache"
        message = failure(lambda: load_secom(data_dir=None, cache_dir=str(cache), url=url))
        assert "published secom table" in message
        assert kept(cache) == []

    @pytest.mark.parametrize("damage", ["cut", "empty", "zeros", "of something else"])
    def test_a_damaged_file_in_the_cache_is_downloaded_again(
        self, damage: str, data_dir: Path, serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        names = ("secom.data", "secom_labels.data")
        content = zipped({name: (data_dir / name).read_bytes() for name in names})
        url, cache = serve("secom.zip", content), tmp_path / "cache"
        load = partial(load_secom, data_dir=None, cache_dir=str(cache), url=url)
        first = load()
        (file,) = kept(cache)
        file.write_bytes(
            {
                "cut": content[:-99],
                "empty": b"",
                "zeros": bytes(len(content)),
                "of something else": b"<html>",
            }[damage]
        )
        assert load().digest == first.digest
        assert file.read_bytes() == content
        assert f"downloaded again: {file}" in caplog.text
        # Where there is no server any more, the line says so.
        file.write_bytes(b"")
        (tmp_path / "served" / "secom.zip").unlink()
        assert "404" in failure(load)

    @pytest.mark.parametrize("sent", ["headers", "half", "a byte now and then", "too much"])
    def test_a_transfer_that_does_not_end_well(
        self, sent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sources, "MOST_SECONDS", 0.2 if sent == "a byte now and then" else 600)
        monkeypatch.setattr(sources, "MOST_BYTES", 10_000)
        gone = threading.Event()

        class Bad(_Quiet):
            def do_GET(self) -> None:
                self.send_response(200)
                if sent != "too much":
                    self.send_header("Content-Length", "1000")
                self.end_headers()
                match sent:
                    case "half":
                        self.wfile.write(bytes(500))
                    case "too much":
                        self.wfile.write(bytes(20_000))
                    case "a byte now and then":
                        for _ in range(1000):
                            try:
                                self.wfile.write(b"0")
                            except OSError:
                                break
                            if gone.wait(0.01):
                                break

        server = ThreadingHTTPServer(("127.0.0.1", 0), Bad)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url, cache = f"http://127.0.0.1:{server.server_port}/Wafer.zip", tmp_path / "cache"
        message = failure(lambda: load_wafer(data_dir=None, cache_dir=str(cache), url=url))
        gone.set()
        server.shutdown()
        server.server_close()
        assert f"{url} could not be downloaded" in message
        reason = {"a byte now and then": "longer than 0.2 seconds", "too much": "larger than 10000 bytes"}
        assert reason.get(sent, "IncompleteRead") in message
        assert kept(cache) == []

    def test_an_archive_with_an_absurdly_large_file(
        self, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sources, "MOST_BYTES", 10_000)
        url = serve("secom.zip", zipped({"secom.data": bytes(20_000), "secom_labels.data": b""}))
        message = failure(lambda: load_secom(data_dir=None, cache_dir=str(tmp_path / "cache"), url=url))
        assert "secom.data is larger than 10000 bytes" in message

    def test_a_cache_that_cannot_be_written(self, data_dir: Path, serve: Serve, tmp_path: Path) -> None:
        url = serve("cs-training.csv", (data_dir / "cs-training.csv").read_bytes())
        (tmp_path / "cache").write_text("a file, no folder")
        message = failure(lambda: load_credit(data_dir=None, cache_dir=str(tmp_path / "cache"), url=url))
        assert message.startswith("paths.cache_dir: cannot write")

    @pytest.mark.parametrize("name", DOWNLOADED)
    def test_failed_download(self, name: str, tmp_path: Path) -> None:
        loader, files, *_ = PUBLISHED[name]
        url = closed_port_url()
        message = failure(lambda: loader(data_dir=None, cache_dir=str(tmp_path), url=url))
        for part in (url, "paths.data_dir", "ADVERSARIAL_OVERSAMPLING_DATA_DIR", *files):
            assert part in message
        assert ("Kaggle" in message and "account" in message) == (name == "credit")

    def test_file_that_the_server_lacks(self, serve: Serve, tmp_path: Path) -> None:
        url = serve("present", b"") + "-not"
        message = failure(lambda: load_wafer(data_dir=None, cache_dir=str(tmp_path / "cache"), url=url))
        assert "404" in message

    @pytest.mark.parametrize("url", ["gopher://there/Wafer", "no address", "http://[", "file:///etc/passwd"])
    def test_addresses_that_cannot_be_downloaded(self, url: str, tmp_path: Path) -> None:
        message = failure(lambda: load_wafer(data_dir=None, cache_dir=str(tmp_path), url=url))
        assert f"{url} could not be downloaded" in message


class TestMakeTable:
    def test_classes_are_ordered_by_falling_size_then_text(self) -> None:
        labels = ["b", "c", "a", "c", "b", "a", "c", "d", "d"]
        table = make_table("t", np.arange(9.0)[:, None], labels, ["v"])
        assert table.class_names == ("c", "a", "b", "d")
        assert table.y.tolist() == [2, 0, 1, 0, 2, 1, 0, 3, 3]

    def test_digest_sees_every_part(self) -> None:
        x, labels = np.array([[0.0, np.nan], [1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), ["a", "a", "b", "b"]
        base = make_table("t", x, labels, ["u", "v"])
        other = x.copy()
        other[1, 1] = 2.001
        variants = [
            make_table("t", other, labels, ["u", "v"]),
            make_table("t", x, ["a", "b", "a", "b"], ["u", "v"]),
            make_table("t", x, ["a", "a", "c", "c"], ["u", "v"]),
            make_table("t", x, labels, ["u", "v"], np.array([3])),
            make_table("t", x.reshape(4, 2)[:, ::-1], labels, ["u", "v"]),
        ]
        assert len({base.digest, *(variant.digest for variant in variants)}) == 6

    def test_digest_overlooks_the_bits_of_nan_and_the_sign_of_zero(self) -> None:
        x = np.array([[0.0], [1.0], [2.0], [np.nan]])
        other = x.copy()
        other[0, 0] = -0.0
        other[3, 0] = np.copysign(np.nan, -1)
        labels = ["a", "a", "b", "b"]
        assert make_table("t", x, labels, ["v"]).digest == make_table("t", other, labels, ["v"]).digest

    def test_digest_overlooks_the_last_bit(self) -> None:
        x = np.random.default_rng(0).normal(size=(50, 3)).round(6)
        x[0] = 0.5, 1.0, 1024.0
        labels = ["a"] * 25 + ["b"] * 25
        digests = {
            make_table("t", values, labels, ["u", "v", "w"]).digest
            for values in (x, np.nextafter(x, np.inf), np.nextafter(x, -np.inf))
        }
        assert len(digests) == 1
        assert make_table("t", x * (1 + 1e-11), labels, ["u", "v", "w"]).digest not in digests

    def test_class_with_a_single_row(self) -> None:
        message = failure(lambda: make_table("t", np.arange(3.0)[:, None], ["a", "a", "rare"], ["v"]))
        assert "'rare' has a single row" in message
        assert "merge" in message

    def test_one_class(self) -> None:
        assert "only class 'a'" in failure(
            lambda: make_table("t", np.arange(2.0)[:, None], ["a", "a"], ["v"])
        )

    def test_no_rows(self) -> None:
        assert "no row" in failure(lambda: make_table("t", np.empty((0, 1)), [], ["v"]))

    @pytest.mark.parametrize("column", [[1.0, 1.0, 1.0, 1.0], [np.nan] * 4, [2.0, np.nan, 2.0, 2.0]])
    def test_every_column_constant(self, column: list[float]) -> None:
        x = np.array([column, column]).T
        message = failure(lambda: make_table("flat", x, ["a", "a", "b", "b"], ["u", "v"]))
        assert "dataset flat" in message
        assert "constant" in message

    def test_infinite_value(self) -> None:
        x = np.array([[1.0, 1.0], [2.0, np.inf], [3.0, 0.0], [4.0, 0.0]])
        assert "'v'" in failure(lambda: make_table("t", x, ["a", "a", "b", "b"], ["u", "v"]))

    def test_rows_and_labels_of_different_number(self) -> None:
        assert "3 rows" in failure(lambda: make_table("t", np.arange(3.0)[:, None], ["a", "b"], ["v"]))

    def test_check_classes_passes_a_sound_table(self) -> None:
        check_classes(make_table("t", np.arange(4.0)[:, None], ["a", "a", "b", "b"], ["v"]))
