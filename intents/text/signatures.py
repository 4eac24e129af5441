"""Signature, device line and legal footer below the author's own words: they say nothing about what is wanted."""

from __future__ import annotations

import re

_DASHES = re.compile(r"^\s*(?:--|—|__|-\s-|={3,}|_{5,}|\*{3,}|-{3,})\s*$")
_DEVICE = re.compile(
    r"^\W{0,8}(?:sent (?:from|with|via)|get outlook|trimis (?:de pe|din|cu)|(?:von|mit) meine[mr]? .{2,40} gesendet|"
    r"gesendet (?:von|mit)|envoyé (?:de|depuis|à partir)|télécharge[rz] outlook|enviado (?:desde|do|"
    r"a partir|con|pelo)|"
    r"obtener outlook|inviato (?:da|dal|con)|scarica outlook|obtenha o outlook|verzonden (?:vanaf|met|via)|"
    r"wysłan[eoy] (?:z|za)|elküldve|.{2,30}(?:-omról|-ról|-ről|-emről|-ból) küldve|odesláno z|"
    r"poslano (?:s|iz|sa|putem)|"
    r"skickat från|sendt (?:fra|via)|hämta outlook|hent outlook)\b.{0,80}$",
    re.I,
)
# Closings that end a message. "Thanks" alone is not among them: people go on after it.
_CLOSING = re.compile(
    r"^\W{0,8}(?:(?:with )?(?:best|kind(?:est)?|warm(?:est)?|many) (?:regards|wishes)|regards|"
    r"yours (?:faithfully|sincerely|truly)|"
    r"sincerely(?: yours)?|cheers|cu (?:stimă|stima|respect|considerație|drag)|toate cele bune|"
    r"o zi (?:bună|buna|frumoasă)|"
    r"(?:mit )?(?:freundliche[nm]?|beste[nm]?|liebe[nm]?|herzliche[nm]?|viele[nm]?|"
    r"schöne[nm]?) gr[uü](?:ß|ss)e?n?|hochachtungsvoll|"
    r"mfg|lg|vg|(?:bien )?cordialement|bien à vous|sincères salutations|salutations distinguées|"
    r"(?:un )?(?:saludos?|cordial saludo)(?: cordiales)?|atentamente|atte|un abrazo|(?:cordiali|"
    r"distinti) saluti|saluti|"
    r"cordialmente|(?:com os )?melhores cumprimentos|(?:os meus )?cumprimentos|atenciosamente|att|abraços|"
    r"(?:met )?(?:vriendelijke|hartelijke) groet(?:en)?|hoogachtend|groetjes|mvg|z poważaniem|"
    r"pozdrawiam(?: serdecznie)?|"
    r"(?:üdvözlettel|tisztelettel|köszönettel|üdv)|s pozdravem|s úctou|hezký den|"
    r"(?:srdačan|lijep) pozdrav|s poštovanjem|lp|(?:med )?vänliga? hälsning(?:ar)?|hälsningar|mvh|vänligen|"
    r"(?:med )?venlig hilsen|(?:de )?bedste hilsner|hilsen|vh|kh)\b[^.!?\n]{0,40}[,.!]?\s*$",
    re.I,
)
_POSTSCRIPT = re.compile(r"^\W{0,8}(?:p\.? ?s\b|n\.? ?b\b|ui\b|ps\b)", re.I)
_FOOTER = re.compile(
    r"^\W{0,8}(?:(?:this|the information in this|the contents? of this) (?:e-?mail|message|communication)\b.{0,80}"
    r"(?:confidential|intended|privileged|attachment)|confidentiality (?:notice|note)|disclaimer\b|"
    r"diese (?:e-?mail|nachricht)\b.{0,80}(?:vertraulich|bestimmt)|"
    r"ce (?:message|courriel|mail)\b.{0,80}(?:confidentiel|destin)|acest (?:e-?mail|"
    r"mesaj)\b.{0,80}(?:confiden|destin)|"
    r"este (?:mensaje|correo|e-?mail)\b.{0,80}(?:confiden|destinat)|esta mensagem\b.{0,80}(?:confiden|destinat)|"
    r"(?:questo messaggio|questa e-?mail|il presente messaggio|"
    r"le informazioni contenute)\b.{0,80}(?:riservat|confiden|destinat)|"
    r"(?:dit bericht|deze e-?mail)\b.{0,80}(?:vertrouwelijk|bestemd)|(?:ta wiadomość|"
    r"niniejsza wiadomość)\b.{0,80}(?:poufn|przeznaczon)|"
    r"(?:ez az|jelen) (?:e-?mail|üzenet|levél)\b.{0,80}(?:bizalmas|címzett)|(?:tato zpráva|"
    r"tento e-?mail)\b.{0,80}(?:důvěrn|určen)|"
    r"(?:ova poruka|ovaj e-?mail)\b.{0,80}(?:povjerljiv|namijenjen)|(?:detta (?:meddelande|mejl|"
    r"e-post\w*)|denne (?:mail|e-?mail|besked))\b"
    r".{0,80}(?:konfidentiell|avsett|fortrolig|beregnet)|"
    r"you (?:are receiving|received|get|have received) this (?:e-?mail|message|newsletter)|"
    r"sie erhalten diese (?:e-?mail|nachricht|mail)|vous recevez ce (?:mail|courriel|message|cet)|"
    r"primești acest|primiți acest|"
    r"recibes? este|ricevi questa|ricevete questa|recebeu este|je ontvangt deze|u ontvangt deze|otrzymujesz t[ęe]|"
    r"azért kapta|tento e-?mail (?:jste|dostáváte)|ovaj e-?mail (?:ste )?prim|du får det|du modtager denne|"
    r"(?:unsubscribe|abmelden|se désabonner|dezabonare|darse de baja|disiscriviti|"
    r"cancelar subscrição|afmelden|wypisz się|"
    r"leiratkozás|odhlásit (?:se|odběr)|odjava|avregistrera|afmeld)\s*[|·•/:].{0,120}$)",
    re.I,
)
_LINES_IN_SIGNATURE = 12
_LONGEST_LINE = 120
_PRINTING = re.compile(
    r"(?:consider the environment|bevor sie diese (?:e-?)?mail (?:aus)?drucken|pensez à l'environnement)", re.I
)


def strip_signature(text: str) -> str:
    """Cut signature, device line and footers; a postscript below them stays, being the author's own words."""
    lines = text.split("\n")
    kept: list[str] = []
    in_signature = in_footer = False
    for number, line in enumerate(lines):
        if _POSTSCRIPT.match(line):
            in_signature = in_footer = False
        elif not line.strip():
            in_footer = False
        if _DASHES.match(line) and kept and _looks_like_end(lines, number):
            in_signature = True
        elif _DEVICE.match(line) or _PRINTING.search(line):
            continue
        elif _FOOTER.match(line):
            in_footer = True
        elif _CLOSING.match(line) and any(x.strip() for x in kept) and _looks_like_end(lines, number):
            in_signature = True
        if not (in_signature or in_footer):
            kept.append(line)
    return "\n".join(kept).strip()


def _looks_like_end(lines: list[str], number: int) -> bool:
    """A signature is short lines; a rule followed by paragraphs is a part of the message."""
    if lines[number].strip() in ("--", "—"):
        return True
    following = 0
    for line in lines[number + 1 :]:
        if _POSTSCRIPT.match(line):
            break
        if line.strip() and not _FOOTER.match(line):
            following += 1
            if following > _LINES_IN_SIGNATURE or (following <= 6 and len(line) > _LONGEST_LINE):
                return False
    return True
