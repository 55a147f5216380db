# SPDX-License-Identifier: Apache-2.0
import pytest

from paracore.cli._examination_xen import examine_xen


@pytest.fixture
def domain(tmp_path):
    """A place like /, in a guest in which all is well."""
    for node in ("proc/xen/capabilities", "dev/xen/evtchn", "dev/xen/xenbus", "dev/xen/gntalloc", "dev/xen/gntdev"):
        (tmp_path / node).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / node).touch()
    limit = tmp_path / "sys/module/xen_gntalloc/parameters/limit"
    limit.parent.mkdir(parents=True)
    limit.write_text("32768\n")
    return tmp_path


def verdicts(domain):
    return {finding.subject: finding for finding in examine_xen(str(domain))}


def test_outside_xen(tmp_path):
    assert not verdicts(tmp_path)


def test_a_guest(domain):
    found = verdicts(domain)
    assert {finding.verdict for finding in found.values()} == {"good"}
    assert "xen gntalloc" in found
    assert "128 MiB" in found["xen grants"].text


def test_the_domain_of_the_toolstack(domain):
    (domain / "proc/xen/capabilities").write_text("control_d\n")
    found = verdicts(domain)
    assert "xen gntdev" in found
    assert "xen gntalloc" not in found


def test_a_low_limit(domain):
    (domain / "sys/module/xen_gntalloc/parameters/limit").write_text("1024\n")
    finding = verdicts(domain)["xen grants"]
    assert (finding.verdict, finding.text.split()[-2:]) == ("fair", ["4", "MiB"])
    assert "echo 30000" in finding.remedy


@pytest.mark.parametrize(
    ("node", "subject", "remedy"),
    [
        ("dev/xen/gntalloc", "xen gntalloc", "modprobe xen-gntalloc"),
        ("dev/xen/evtchn", "xen evtchn", "modprobe xen-evtchn"),
        ("dev/xen/xenbus", "xenstore", "modprobe xenfs"),
    ],
)
def test_what_is_missing(domain, node, subject, remedy):
    (domain / node).unlink()
    finding = verdicts(domain)[subject]
    assert finding.verdict == "bad"
    assert remedy in finding.remedy
