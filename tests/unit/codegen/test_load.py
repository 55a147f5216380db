# SPDX-License-Identifier: Apache-2.0
"""The loader takes what the rules allow and refuses all else, saying where and why."""

from __future__ import annotations

import pytest

from codegen._load import SpecError, load
from codegen._model import Form

# What is replaced in the toy specification, by what, and a piece of the refusal.
FAULTS = {
    "not TOML": ("[protocol]", "[protocol", "specification"),
    "unknown section": ("[protocol]", "[more]\na = 1\n[protocol]", "does not know more"),
    "section missing": ("[flags.", "[flag.", "lacks flags"),
    "unknown key": ("version = 3", "version = 3\nmore = 1", "protocol: does not know more"),
    "key missing": ("version = 3", "", "protocol: lacks version"),
    "no number": ("version = 3", 'version = "3"', "not a number"),
    "a truth for a number": ("version = 3", "version = true", "not a number"),
    "number too large": ("magic = 0x00594f54", "magic = 0x100000000", "not a number"),
    "limit missing": ("[limits.page_size]", "[limits.page]", "lacks page_size"),
    "limit without a doc": ('doc = "A page."', 'doc = " "', "wants a text"),
    "struct missing": ("[struct.failure]", "[struct.fault]", "struct: needs"),
    "upper case": ('name = "small"', 'name = "Small"', "not a lower-case name"),
    "a word of C": ('name = "small"', 'name = "int"', "a word of C or Python"),
    "a word of Python": ('name = "small"', 'name = "lambda"', "a word of C or Python"),
    "a word of the generated class": ('name = "small"', 'name = "pack"', "word of the generated"),
    "double field": ('name = "small"', 'name = "colour"', "two fields colour"),
    "unaligned": ('name = "c", type = "u16"', 'name = "c", type = "u32"', "octet 2, not a multiple of 4"),
    "length no multiple of 8": ('name = "pair", type = "i16[2]"', 'name = "pair", type = "i16[4]"', "multiple of 8"),
    "unknown type": ('name = "small", type = "i8"', 'name = "small", type = "s8"', "'s8' is not a type"),
    "unknown array": ('type = "i8[1]"', 'type = "s8[1]"', "'s8' is not a type"),
    "empty array": ('type = "i8[1]"', 'type = "i8[0]"', "needs an element"),
    "unknown enum": ("enum:colour", "enum:color", "enum color is not known"),
    "flags as an enum": ("flags:mark", "enum:mark", "enum mark is not known"),
    "neither": ("flags:mark", "bits:mark", "'bits' is not a type"),
    "struct before its definition": ("[struct.inner]", "[struct.last]", "struct inner is not known"),
    "reserved without a number": ('name = "reserved0", type = "u16"', 'name = "reserved", type = "u16"', "reserved0"),
    "reserved and signed": ('name = "reserved0", type = "u16"', 'name = "reserved0", type = "i16"', "unsigned"),
    "empty struct": (
        '  { name = "magic", type = "u32", doc = "Magic." },\n  { name = "reserved0", type = "u32", doc = "Zero." },\n',
        "",
        "has no field",
    ),
    "empty enum": ('most = { value = 127, doc = "The most that an enumeration may have." }', "", None),
    "enum value out of reach": ("value = 127", "value = 128", "not a number from 0 to 127"),
    "two bits": ("value = 0x40000000", "value = 3", "3 is not one bit"),
    "bit out of C's reach": ("value = 0x40000000", "value = 0x80000000", "not a number"),
    "one number, two names": ("value = 64", "value = 1", "one number to two names"),
    "member in upper case": ("blue = ", "Blue = ", "not a lower-case name"),
    "enum and flags of one name": ("[flags.mark]", "[flags.colour]", "the name is taken"),
    "tag clash in C": ('c_tag = "colour_id"', 'c_tag = "toy_numbers"', "paracore_toy_numbers twice"),
    "constant clash in C": (
        "[limits.page_size]\n",
        '[limits.mark_low]\nvalue = 1\ndoc = "x"\n[limits.page_size]\n',
        "twice",
    ),
    "class number twice": ("number = 1", "number = 2", "number 2 is taken"),
    "opcode of another class": ("opcode = 0x0203", "opcode = 0x0303", "not of class 2"),
    "opcode twice": ("opcode = 0x0203", "opcode = 0x0202", "opcode given twice"),
    "name twice": ('name = "nested"', 'name = "arrays"', "name given twice"),
    "a reply's name": ('name = "nested"', 'name = "arrays_reply"', "also a reply's name"),
    "unknown kind": ('kind = "event"', 'kind = "news"', "kind 'news'"),
    "post with a reply": (
        'kind = "post"\nopcode = 0x0101',
        'kind = "post"\nopcode = 0x0101\nreply = []',
        "nothing else",
    ),
    "call without a reply": ('kind = "post"\nopcode = 0x0101', 'kind = "call"\nopcode = 0x0101', "a call has a reply"),
    "native event": ('kind = "event"', 'kind = "event"\nnative = true', "native is for calls"),
    "tail before the end": (
        'type = "u32", doc = "Octets of the tail."',
        'type = "bytes", length = "mark", doc = "x"',
        "last",
    ),
    "tail without a length": ('type = "bytes", length = "length"', 'type = "bytes"', "goes with"),
    "length without a tail": ('type = "char[8]"', 'type = "char[8]", length = "length"', "goes with"),
    "length that is no number": ('length = "length", doc', 'length = "mark", doc', "is not a u32"),
    "tail in a struct": (
        '{ name = "big", type = "u64", doc',
        '{ name = "big", type = "bytes", length = "big", doc',
        "last",
    ),
    "payload too large": ('type = "u32[6]"', 'type = "u32[60]"', "has room for 240"),
    "fields that are no list": ("fields = []", "fields = 5", "must be a list"),
    "message that is no table": (
        "[class.other]",
        '[class.third]\nnumber = 3\ndoc = "x"\nmessage = [1]\n[class.other]',
        "a table",
    ),
    "messages that are no list": (
        "[class.other]",
        '[class.third]\nnumber = 3\ndoc = "x"\nmessage = 1\n[class.other]',
        "a list",
    ),
    "enum that is no table": ("[enum.error]", "[enum]\nthird = 1\n[enum.error]", "must be a table"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_refused(toy_text, fault):
    old, new, refusal = FAULTS[fault]
    assert old in toy_text
    spoilt = toy_text.replace(old, new)
    if refusal is None:
        spoilt = spoilt.replace('one = { value = 1, doc = "One." }', "")
        refusal = "has no value"
    with pytest.raises(SpecError, match=refusal):
        load(spoilt)


def test_the_model_has_places_and_sizes(toy):
    outer = toy.struct("outer")
    assert [(field.name, field.offset, field.size) for field in outer.fields] == [
        ("big", 0, 8),
        ("inner", 8, 8),
        ("pair", 16, 4),
        ("reserved0", 20, 2),
        ("reserved1", 22, 2),
    ]
    assert (outer.size, outer.align) == (24, 8)
    assert toy.limit("message_max") == 256
    assert toy.enum("mark").mask == 0x40000001


def test_messages_are_sorted_by_opcode(toy):
    assert [of.name for of in toy.classes] == ["other", "toy"]
    assert [message.opcode for message in toy.messages] == [0x0101, 0x0201, 0x0202, 0x0203, 0x0204]
    assert toy.messages[1].full_name == "toy.numbers"


def test_a_tail_is_bound_to_its_length(toy):
    tailed = toy.messages[-1].request
    assert tailed.tail is not None
    assert tailed.fields[0].counts == tailed.tail.name
    assert not tailed.fields[0].shown
    assert tailed.room == 256 - 16 - tailed.size


def test_the_toy_has_each_form_of_field(toy):
    payloads = [payload for message in toy.messages for payload in (message.request, message.reply) if payload]
    assert {field.form for payload in payloads for field in payload.fields} == set(Form)
