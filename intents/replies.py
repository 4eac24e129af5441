"""Short answers to our own question: yes or no in fourteen languages.

Lists suffice here: the answer to "shall we delete your account?" is a handful of words, and it counts only where
a question stands before it (the `context` of `detect`, or a quoted question of ours).
"""

from __future__ import annotations

import re

from intents.text.normalise import fold

_MAX_WORDS = 14
_MAX_WORDS_AROUND_YES = 7

# Folded: lower case, no diacritics. Each entry is a whole word or phrase.
_YES = (
    "yes|yep|yeah|yup|ya|sure|ok|okay|oki|okey|k|y|correct|confirm|confirmed|i confirm|agreed|"
    "i agree|please do|please do (?:that|it|so)|please go ahead|do it|"
    "go ahead|do that|exactly|absolutely|definitely|affirmative|right|that's right|of course|"
    "proceed|fine|i do|i am sure|"
    "da|sigur|desigur|bineinteles|confirm|de acord|corect|exact|asa e|asa este|va rog da|"
    "faceti asta|fa-o|dati-i drumul|"
    "ja|jawohl|jo|genau|gerne|gern|klar|sicher|bestatige|bestatigt|ich bestatige|einverstanden|"
    "stimmt|richtig|natur?lich|"
    "bitte machen|machen sie das|mach das|selbstverstandlich|passt|"
    "oui|ouais|d'accord|dac|je confirme|confirme|bien sur|exactement|allez-y|vas-y|tout a fait|c'est ca|volontiers|"
    "si|claro|vale|confirmo|de acuerdo|correcto|exacto|adelante|por supuesto|asi es|hagalo|hazlo|si quiero|"
    "certo|va bene|confermo|d'accordo|esatto|corretto|procedete|proceda|procedi pure|certamente|assolutamente si|"
    "sim|claro que sim|confirmado|pode ser|pode|podem|avance|avancem|certo|com certeza|exatamente|"
    "zeker|graag|akkoord|klopt|bevestig|ik bevestig|prima|doe maar|ga je gang|jazeker|inderdaad|"
    "tak|potwierdzam|zgoda|zgadzam sie|oczywiscie|dokladnie|jasne|prosze bardzo|poprosze|no tak|"
    "igen|rendben|megerositem|persze|pontosan|igy van|jo lesz|termeszetesen|mehet|kerem igen|"
    "ano|jo|jasne|potvrzuji|souhlasim|presne|samozrejme|urcite|dobre|muzete|"
    "da|moze|potvrdujem|slazem se|tocno|naravno|u redu|tako je|svakako|"
    "javisst|absolut|jag bekraftar|bekraftar|stammer|garna|visst|okej|gor det|kor|precis|"
    "jep|jo tak|jeg bekraefter|bekraefter|det stemmer|gerne|selvfolgelig|gor det|netop|helt sikkert"
)
_NO = (
    "no|nope|nah|n|never mind|nevermind|don't|do not|not now|no thanks|no thank you|cancel|stop it|"
    "forget it|leave it|"
    "nu|nu vreau|nu multumesc|lasati|las-o|renunt|nicidecum|inca nu|"
    "nein|ne|noe|nee|nicht|lieber nicht|doch nicht|auf keinen fall|bloss nicht|lass|lassen sie|abbrechen|"
    "non|pas du tout|surtout pas|annulez|laissez tomber|pas maintenant|"
    "no gracias|para nada|mejor no|todavia no|dejelo|dejalo|cancele|"
    "no grazie|per niente|lasciate stare|lasci stare|annulla|non ancora|meglio di no|"
    "nao|nao obrigad[oa]|deixe estar|deixa estar|ainda nao|melhor nao|"
    "nee|nee bedankt|niet|liever niet|laat maar|nog niet|toch niet|"
    "nie|nie dziekuje|nie chce|jednak nie|jeszcze nie|rezygnuje|"
    "nem|nem koszonom|inkabb nem|megse|ne torol\\w*|hagyjuk|meg nem|"
    "ne|nechci|radeji ne|jeste ne|vubec ne|nechte byt|zrusit|"
    "ne hvala|ne zelim|nemojte|nemoj|jos ne|odustajem|"
    "nej|nej tack|inte|hellre inte|lat bli|glom det|avbryt|"
    "nej tak|ikke|helst ikke|lad vaere|glem det|annuller"
)
_START = (
    r"^\W*(?:(?:hi|hello|hey|hallo|hej|ciao|hola|ola|salut|bonjour|buna|buna ziua|dzien dobry|cześć|"
    r"ahoj|bok|szia)\W+)?"
)
_YES_START = re.compile(rf"{_START}(?:{_YES})(?!\w)")
_NO_START = re.compile(rf"{_START}(?:{_NO})(?!\w)")
# "yes, but not ...", "ok no": the second word decides.
_YES_INSIDE = re.compile(r"[\s,](?:yes|please do|sim|si|oui|ja|tak|igen|ano|da)(?:[\s,.!]|$)")
_NEGATION = re.compile(r"\b(?:not|no|nu|nicht|kein\w*|pas|non|no|nao|niet|geen|nie|nem|ne|nej|inte|ikke|keep|\w+n't)\b")
_TURN = re.compile(rf"(?:^|[,.;!\s])(?:but no|aber nicht|{_NO})\s*[.!]*$")


def answer(text: str) -> str | None:
    """Return "affirm", "deny" or None for a text that is no short answer."""
    folded = fold(text).strip()
    if not folded or len(folded.split()) > _MAX_WORDS or folded.endswith("?"):
        return None
    if _NO_START.match(folded):
        # "no problem, go ahead" is a yes
        return "affirm" if re.match(r"\W*no (?:problem|worries)\W", folded) else "deny"
    if _YES_START.match(folded):
        return "deny" if _TURN.search(folded) else "affirm"
    if len(folded.split()) <= _MAX_WORDS_AROUND_YES and _YES_INSIDE.search(folded) and not _NEGATION.search(folded):
        return "affirm"
    return None
