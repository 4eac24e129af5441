"""The made-up people that the demo is seeded with; the same at every start."""

from __future__ import annotations

import random

from integrations.twin import Person

# Every folder that can hold a person: the own database and the policy's processors.
EVERYWHERE = frozenset(
    {
        "own_database",
        "intercom",
        "zendesk",
        "zendesk-messaging",
        "google",
        "hotjar",
        "baremetrics",
        "dropbox",
        "meta",
        "sentry",
        "microsoft",
    }
    | {"tawkto", "smartsupp", "slack", "mailgun", "paddle", "maxmind", "atlassian", "mailchimp", "hubspot"}
)
MARIA = Person("maria.pop@example.com", "Maria Pop", "acc-1001", EVERYWHERE, "ro", "Atelier Pop SRL")
ION = Person("ion.ionescu@example.com", "Ion Ionescu", "", frozenset({"mailchimp", "mailgun"}), "ro")
CHILD = Person(
    "luca.matei@example.com",
    "Luca Matei",
    "acc-1003",
    frozenset({"own_database", "intercom", "mailchimp"}),
    "ro",
    born="2014-05-02",
)

_FIRST = {
    "ro": ["Andrei", "Ioana", "Mihai", "Elena", "Radu", "Ana", "Vlad", "Irina", "Sorin", "Dana"],
    "en": ["Oliver", "Amelia", "Jack", "Grace", "Harry", "Ruby", "Leo", "Freya", "Oscar", "Ivy"],
    "de": ["Jonas", "Lena", "Felix", "Marie", "Paul", "Clara", "Max", "Greta", "Emil", "Ida"],
    "fr": ["Hugo", "Louise", "Jules", "Camille", "Arthur", "Manon", "Noé", "Chloé", "Tom", "Inès"],
    "es": ["Mateo", "Lucía", "Diego", "Carmen", "Pablo", "Sofía", "Javier", "Elena", "Marcos", "Alba"],
}
_LAST = {
    "ro": ["Dumitru", "Stan", "Moldovan", "Rusu", "Lazar", "Toma", "Marin", "Neagu"],
    "en": ["Walker", "Bennett", "Hughes", "Foster", "Palmer", "Reed", "Barnes", "Ellis"],
    "de": ["Becker", "Vogel", "Krause", "Lorenz", "Brandt", "Seidel", "Kuhn", "Arnold"],
    "fr": ["Moreau", "Girard", "Lambert", "Fontaine", "Rousseau", "Blanc", "Garnier", "Faure"],
    "es": ["Romero", "Navarro", "Torres", "Vidal", "Castro", "Ortega", "Rubio", "Molina"],
}


def people() -> tuple[Person, ...]:
    """Maria, Ion, a child, and 200 more; about 150 of those have one Intercom contact and stand elsewhere too."""
    rng = random.Random(20261123)  # noqa: S311  # made-up people, not secrets
    found = [MARIA, ION, CHILD]
    others = sorted(EVERYWHERE - {"own_database", "intercom", "zendesk-messaging"})
    for n in range(200):
        language = rng.choice(list(_FIRST))
        first, last = rng.choice(_FIRST[language]), rng.choice(_LAST[language])
        at = {"own_database", *rng.sample(others, rng.randint(1, 4))}
        if n < 150:
            at.add("intercom")
        if n % 8 == 0:
            at |= {"mailchimp", "mailgun"}
        if n % 20 == 0:
            at.add("slack")
        if "zendesk" in at and rng.random() < 0.5:
            at.add("zendesk-messaging")
        plain = f"{first}.{last}".lower().translate(str.maketrans("éèïíóúñçüöäș", "eeiiounçuoas")).replace("ç", "c")
        found.append(Person(f"{plain}.{n}@example.com", f"{first} {last}", f"acc-{2000 + n}", frozenset(at), language))
    return tuple(found)
