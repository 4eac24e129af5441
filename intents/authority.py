"""Complaints that are addressed to a supervisory authority: we only get a copy, so they open nothing here."""

from __future__ import annotations

import re

from intents.text.normalise import fold

_AUTHORITY = (
    r"\b(?:anspdcp|autoritatea nationala de supraveghere|ico|information commissioner|"
    r"data protection (?:authority|commission(?:er)?)|"
    r"supervisory authority|autoritatea de supraveghere|datenschutz(?:behorde|"
    r"beauftragte[rn]? (?:des landes|fur den datenschutz))|landesbeauftragte\w*|bfdi|"
    r"aufsichtsbehorde|"
    r"cnil|commission nationale de l'informatique|autorite de (?:controle|protection)|aepd|"
    r"agencia espanola de proteccion|autoridad de control|"
    r"garante(?: per la protezione| privacy)?|autorita garante|cnpd|comissao nacional de protecao|"
    r"autoridade de controlo|"
    r"autoriteit persoonsgegevens|toezichthouder|uodo|prezes\w* urzedu ochrony|"
    r"urzad\w* ochrony danych|naih|adatvedelmi hatosag|"
    r"nemzeti adatvedelmi|uoou|urad\w* pro ochranu|azop|agencij\w* za zastitu|imy|"
    r"integritetsskyddsmyndigheten|datatilsynet)\b"
)
_COMPLAINT = (
    r"\b(?:complaint|complain|plangere\w*|reclamati\w*|sesizare|beschwerde|beschwere|plainte|"
    r"reclamation|reclamacion|denuncia|"
    r"reclamo|segnalazione|reclamacao|queixa|klacht|skarg\w*|panasz\w*|stiznost\w*|prituzb\w*|"
    r"prigovor|klagomal|anmalan|klage|anmeldelse)\b"
)
_ADDRESSED = re.compile(
    rf"^\W{{0,8}}(?:to|dear|attn|attention|an|an die|an den|sehr geehrte\w*|a|a l'attention de|madame|"
    rf"monsieur|catre|stimat\w*|"
    rf"a la|al|estimad\w*|spett\w*|alla?|ao|a|aan|geachte|do|szanown\w*|tisztelt|vazen\w*|postovan\w*|till|til|kaere|"
    rf"subject|betreff|objet|subiect|asunto|oggetto|assunto|onderwerp|temat|targy|predmet|amne|emne|"
    rf"cc)?\b.{{0,40}}{_AUTHORITY}",
)
_HEAD_LINES = 8


def is_authority_complaint(text: str) -> bool:
    """True if an authority stands in the address lines or greeting and the text calls itself a complaint."""
    folded = fold(text[:3000])
    if not re.search(_COMPLAINT, folded) or not re.search(_AUTHORITY, folded):
        return False
    head = [line for line in folded.split("\n") if line.strip()][:_HEAD_LINES]
    return any(len(line.split()) <= 16 and _ADDRESSED.match(line) for line in head)
