# SPDX-License-Identifier: Apache-2.0
import configparser
from types import SimpleNamespace

import pytest

from paracore import ConfigError
from paracore.cli import _environment
from paracore.cli._environment import ON_LOSS, PLANES, cache_folder, chosen_apis, environment_for, shim, wishes_of
from paracore.cli._exit import UsageError
from paracore.cli._parser import make_parser


@pytest.fixture
def native(tmp_path, monkeypatch):
    """Both shims, as files."""
    folder = tmp_path / "native"
    folder.mkdir()
    for api in _environment.APIS:
        (folder / f"libparacore-{api}.so").touch()
    monkeypatch.setattr(_environment, "_NATIVE", folder)
    return folder


def device(*codecs):
    return SimpleNamespace(capabilities=[SimpleNamespace(codec=codec, direction=way) for codec, way in codecs])


def conf(environment):
    parser = configparser.ConfigParser()
    parser.read(f"{environment.variables['GST_OMX_CONFIG_DIR']}/gstomx.conf")
    return parser


def test_v4l2_alone(native, tmp_path):
    made = environment_for(["v4l2"], "/run/p/p.sock", tmp_path, {})
    assert made.variables == {
        "PARACORE_SOCKET": "/run/p/p.sock",
        "LD_PRELOAD": str(native / "libparacore-v4l2.so"),
        "GST_REGISTRY": str(tmp_path / "gstreamer-registry.bin"),
    }
    assert made.files == ("/run/p", str(native / "libparacore-v4l2.so"))


def made_with(folder, *words):
    """The environment that a command with these options makes."""
    return environment_for(["v4l2"], "/p.sock", folder, {}, wishes_of(make_parser().parse_args(["env", *words])))


def test_which_planes(native, tmp_path):
    """GStreamer remembers what formats the devices have; what another API has is remembered elsewhere."""
    plain, single, multi = (made_with(tmp_path, *words) for words in ((), *(("--planes", wish) for wish in PLANES)))
    assert "PARACORE_V4L2_PLANES" not in plain.variables
    assert multi.variables == plain.variables | {"PARACORE_V4L2_PLANES": "multi"}
    assert single.variables["PARACORE_V4L2_PLANES"] == "single"
    assert single.variables["GST_REGISTRY"] == str(tmp_path / "gstreamer-registry-single.bin")


@pytest.mark.parametrize(
    ("option", "variable", "value"),
    [
        ("--planes", "PARACORE_V4L2_PLANES", "multi"),
        *(("--on-loss", "PARACORE_ON_LOSS", wish) for wish in ON_LOSS),
        ("--rate", "PARACORE_RATE", "30000/1001"),
        ("--rate", "PARACORE_RATE", "25"),
    ],
)
def test_a_wish_replaces_what_is_set(option, variable, value, native, tmp_path):
    plain, wished = made_with(tmp_path), made_with(tmp_path, option, value)
    assert wished.variables == plain.variables | {variable: value}
    assert wished.over({variable: "other"})[variable] == value
    assert plain.over({variable: "other"})[variable] == "other"


def test_components_that_there_are(native, tmp_path):
    devices = {
        "vpu0": device(("h264", "decode"), ("av1", "decode")),
        "vpu1": device(("h264", "decode"), ("h264", "encode")),
    }
    made = environment_for(["omx"], "/run/p/p.sock", tmp_path, devices)
    assert "LD_PRELOAD" not in made.variables
    assert conf(made).sections() == ["omxh264dec", "omxh264enc"]
    assert dict(conf(made)["omxh264dec"]) == {
        "type-name": "GstOMXH264Dec",
        "core-name": str(native / "libparacore-omx.so"),
        "component-name": "OMX.paracore.video_decoder.avc",
        "component-role": "video_decoder.avc",
        "rank": "257",
        "in-port-index": "0",
        "out-port-index": "1",
    }


def test_beside_v4l2_openmax_is_not_chosen_by_itself(native, tmp_path):
    made = environment_for(["v4l2", "omx"], "/p.sock", tmp_path, {"vpu0": device(("h264", "decode"))})
    assert int(conf(made)["omxh264dec"]["rank"]) < 128


def test_backends_do_not_overwrite_each_others_configuration(native, tmp_path):
    one = environment_for(["omx"], "/1.sock", tmp_path, {"vpu0": device(("h264", "decode"))})
    other = environment_for(["omx"], "/2.sock", tmp_path, {"vpu0": device(("mpeg2", "decode"))})
    assert conf(one).sections() == ["omxh264dec"]
    assert conf(other).sections() == ["omxmpeg2videodec"]
    again = environment_for(["omx"], "/3.sock", tmp_path, {"vpu7": device(("h264", "decode"))})
    assert again.variables["GST_OMX_CONFIG_DIR"] == one.variables["GST_OMX_CONFIG_DIR"]


def test_what_is_inherited_stays(native, tmp_path):
    made = environment_for(["v4l2"], "/p.sock", tmp_path, {})
    whole = made.over({"LD_PRELOAD": "a.so b.so", "GST_REGISTRY": "mine", "HOME": "/h", "PARACORE_SOCKET": "old"})
    assert whole == {
        "LD_PRELOAD": f"{native / 'libparacore-v4l2.so'}:a.so b.so",
        "GST_REGISTRY": "mine",
        "HOME": "/h",
        "PARACORE_SOCKET": "/p.sock",
    }


def test_which_apis(native):
    assert chosen_apis(None) == ("v4l2", "omx")
    assert chosen_apis("omx") == ("omx",)
    assert chosen_apis("omx,v4l2,omx") == ("omx", "v4l2")
    for wish in ("", "vaapi", "v4l2,vaapi"):
        with pytest.raises(UsageError):
            chosen_apis(wish)


def test_a_shim_that_is_not_installed(native):
    (native / "libparacore-omx.so").unlink()
    assert chosen_apis(None) == ("v4l2",)
    with pytest.raises(ConfigError, match="make native"):
        chosen_apis("omx")
    (native / "libparacore-v4l2.so").unlink()
    with pytest.raises(ConfigError, match="make native"):
        chosen_apis(None)


def test_a_folder_that_cannot_be_in_ld_preload(native, tmp_path, monkeypatch):
    blank = tmp_path / "a b"
    native.rename(blank)
    monkeypatch.setattr(_environment, "_NATIVE", blank)
    with pytest.raises(ConfigError, match="LD_PRELOAD"):
        shim("v4l2")


def test_where_files_go(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache" / "paracore"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "paracore"


def test_without_a_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    monkeypatch.setattr(_environment.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = cache_folder()
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match="somebody else's"):
        cache_folder()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="somebody else's"):
        cache_folder()
