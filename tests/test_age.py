"""An age report speaks of its author only when it plainly says so."""

from __future__ import annotations

import time

import pytest

from dsr.age import speaks_of_self

SELF = {
    "en": [
        "i am 14",
        "I’m only twelve years old and I have an account",
        "im 11 can i still use this",
        "i'm in 5th grade",
    ],
    "ro": ["eu am 12 ani", "am doisprezece ani și vreau afară", "sunt în clasa a VI-a", "m-am născut în 2013"],
    "de": ["ich bin 13", "Ich bin erst zwölf Jahre alt.", "ich gehe in die 5. Klasse", "Ich bin 2013 geboren"],
    "fr": ["j'ai 11 ans", "J’ai onze ans et demi, désolé", "je suis en CM2", "je suis née le 3 mai 2014"],
    "es": ["tengo 12 años", "tengo doce, y no lo sabía", "voy a sexto de primaria", "nací en 2014"],
    "it": ["ho 13 anni", "Ho solo undici anni!", "faccio la prima media", "sono nata nel 2013"],
    "pt": ["tenho 12 anos", "tenho treze anos posso usar isso?", "ando no 6.º ano", "nasci em 2013"],
    "nl": ["ik ben 12", "Ik ben pas elf jaar oud", "ik zit in groep 7", "ik ben geboren in 2013"],
    "pl": ["mam 13 lat", "mam dopiero dwanaście lat", "chodzę do 6 klasy", "urodziłam się w 2014"],
    "hu": ["13 éves vagyok", "tizenkét éves vagyok és nem szóltam", "ötödikes vagyok", "2013-ban születtem"],
    "cs": ["je mi 12", "je mi teprve třináct let", "chodím do 6. třídy", "narodil jsem se v roce 2013"],
    "hr": ["imam 12 godina", "imam tek jedanaest godina", "idem u 6. razred", "rođen sam 2016"],
    "sv": ["jag är 13", "jag är bara tolv år gammal", "jag går i årskurs 5", "jag är född 2013"],
    "da": ["jeg er 12", "jeg er kun elleve år", "jeg går i 5. klasse", "jeg er født i 2013"],
}
OTHERS = {
    "en": [
        "my son is 12",
        "I am the mother of a 12 year old",
        "I'm 12 days into my trial",
        "I have a 13-year-old daughter",
    ],
    "ro": ["fiul meu are 12 ani", "am un copil de 12 ani", "am 12 ani de experiență", "sunt mama unei fete de 11 ani"],
    "de": ["mein Sohn ist 12", "ich bin die Mutter einer 13-jährigen", "ich bin 12 Jahre Kunde", "steht im 12. Monat"],
    "fr": ["mon fils a 12 ans", "j'ai une fille de 11 ans", "j'ai 12 ans d'expérience", "j'ai 12 contacts mineurs"],
    "es": [
        "mi hija tiene 12 años",
        "tengo un hijo de 12 años",
        "tengo 12 años de antigüedad",
        "tengo 12 alumnos menores",
    ],
    "it": ["mio figlio ha 12 anni", "ho un figlio di 13 anni", "ho 13 anni di esperienza", "avrà 10 o 12 anni"],
    "pt": ["o meu filho tem 12 anos", "tenho um filho de 12 anos", "tenho 12 anos de casa", "tenho 12 alunos"],
    "nl": ["mijn zoon is 12", "ik ben de moeder van een kind van 12", "ik ben 12 jaar klant", "Ben is 12"],
    "pl": ["mój syn ma 12 lat", "mam syna, 13 lat", "mam 13 lat doświadczenia", "mam 12 uczniów"],
    "hu": ["a fiam 12 éves", "van egy 12 éves lányom", "egy 13 éves gyerek anyja vagyok", "a lányom hatodikos"],
    "cs": ["synovi je 12", "jsem matka dítěte, 12 let", "mám 12 let zkušeností", "dceři je 9"],
    "hr": ["sin ima 12 godina", "imam kćer od 12 godina", "imam 12 godina iskustva", "unuku je trinaest"],
    "sv": ["min son är 12", "jag är mamma till en 12-åring", "jag har 12 år i branschen", "brorsan går i sjuan"],
    "da": ["min søn er 12", "jeg er mor til en på 12", "jeg har 12 års erfaring", "min datter går i 5. klasse"],
}


@pytest.mark.parametrize("text", [text for texts in SELF.values() for text in texts])
def test_a_child_speaks_of_itself(text: str) -> None:
    assert speaks_of_self(text)
    assert speaks_of_self(f"hello, {text.upper()}!")


@pytest.mark.parametrize("text", [text for texts in OTHERS.values() for text in texts])
def test_a_grown_up_speaks_of_somebody_else(text: str) -> None:
    assert not speaks_of_self(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a child uses my account",
        "I am 42",
        "I am 16 and may use this",
        "I am 41, my daughter is 14",
        "I'm 5",
        "I am 12 years a customer",
        "I'm 12% happier",
        "I'm 10 km away",
        "I'm 12:30 available",
        'She wrote to me: "I am 12 years old"',
        "He says „ich bin 13“ in seinem Profil",
        "My neighbour's boy says: i am 12",
        "Il a écrit « j'ai 11 ans »",
        "I'm a teacher, I am in year 6 and my pupils signed up",
        "Ich bin Lehrerin und gehe in die 5. Klasse unterrichten",
        "Sunt profesoară, sunt în clasa a V-a diriginte",
        "I was born in 1985, my son in 2014",
        "ich bin 2015 Kunde geworden",
        "jestem z wami od 2015",
        "when I was 13 there was no such thing",
        "I'm not 12, do not treat me like a child",
        "I am a child protection officer",
        "j'ai douze ans en entreprise derrière moi",
    ],
)
def test_what_is_not_plainly_about_the_author_is_not_taken_so(text: str) -> None:
    assert not speaks_of_self(text)


@pytest.mark.parametrize(
    "text",
    [
        "my name is Leo and im 12 and my mum is a teacher",
        "I am a 13 year old girl",
        "i am a minor",
        "soy menor de edad",
        "I am under 16",
        "I am 14 and my little brother is 9",
        "I lied about my birthday when I signed up im actually 12",
        "je n'ai que dix ans",
        "je vais avoir treize ans en mars",
        "Jag fyller 14 nästa månad",
        "igazából csak 12 vagyok",
        "i am 15½",
        "Ｉ ａｍ １２",  # full-width letters
    ],
)
def test_other_plain_ways_to_say_it(text: str) -> None:
    assert speaks_of_self(text)


def test_the_first_birth_year_of_a_child_can_be_handed_in() -> None:
    assert speaks_of_self("I was born in 2012")
    assert not speaks_of_self("I was born in 2012", first_birth_year=2014)
    assert not speaks_of_self("I was born in 2007")


def test_hostile_text_costs_no_time() -> None:
    started = time.perf_counter()
    for piece in (
        "i am ",
        "i am only just ",
        "ich bin erst ",
        "12 ",
        "am 12 ani ",
        '"',
        "jag går i ",
        "urodziłam się w 12. ",
    ):
        speaks_of_self(piece * 20_000)
    assert time.perf_counter() - started < 2
