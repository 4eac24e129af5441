"""Where the author's own new text ends and older mail begins.

Mail programs announce a quotation with one line in the user's language ("Am 3. Mai 2026 schrieb ...:"), with an
Outlook block of header lines, or with `> ` before each line.
"""

from __future__ import annotations

import re

# A verb of writing, as mail programs of the languages put it into the line above a quotation.
_WROTE = re.compile(
    r"\b(?:wrote|writes|schrieb|geschrieben|a écrit|a ecrit|écrit|a scris|escribió|escribio|ha escrito|va escriure|"
    r"ha scritto|scrive|escreveu|schreef|geschreven|napisał|napisała|napisał\(a\)|pisze|napisano|írta|irta|ezt írta|"
    r"napsal|napsala|napsal\(a\)|napísal|napisao|napisala|napisao/la|je napisao|je napisala|skrev|"
    r"skriver|kirjoitti)\b",
    re.I,
)
_DATE_OR_ADDRESS = re.compile(r"\d{1,4}\s?[./:-]\s?\d{1,2}|\b(?:19|20)\d\d\b|@")

_SEPARATOR = re.compile(
    r"^[\s>]*(?:[-_=*#~ ]{2,}\s*)(?:original message|forwarded message|weitergeleitete nachricht|"
    r"ursprüngliche nachricht|"
    r"original[- ]?nachricht|originalnachricht|message d'origine|message original|message transféré|mesaj original|"
    r"mesajul original|mesaj redirecționat|mesaj redirectionat|mensaje original|mensaje reenviado|"
    r"messaggio originale|"
    r"messaggio inoltrato|mensagem original|mensagem encaminhada|oorspronkelijk bericht|doorgestuurd bericht|"
    r"wiadomość oryginalna|oryginalna wiadomość|wiadomość przekazana|treść przekazanej wiadomości|eredeti üzenet|"
    r"továbbított üzenet|původní zpráva|přeposlaná zpráva|původní e-mail|izvorna poruka|proslijeđena poruka|"
    r"ursprungligt meddelande|originalmeddelande|vidarebefordrat meddelande|oprindelig meddelelse|"
    r"videresendt meddelelse|oprindelig besked|videresendt besked|reply above|please type your reply above)\b.*$|"
    r"^\s*(?:begin forwarded message|anfang der weitergeleiteten nachricht|début du message (?:transféré|réexpédié)|"
    r"inicio del mensaje reenviado|inizio messaggio inoltrato|início da mensagem reencaminhada|"
    r"begin doorgestuurd bericht|vidarebefordrat brev|start på videresendt besked|początek przekazywanej wiadomości|"
    r"továbbított levél kezdete|începutul mesajului redirecționat)\s*:?\s*$",
    re.I,
)
_REPLY_ABOVE = re.compile(
    r"^\W{0,8}(?:##-|-{2,}).*(?:reply above|oberhalb dieser|au-dessus de cette|por encima de|sopra questa|acima desta|"
    r"boven deze|powyżej tej|deasupra acestei|nad tento|iznad|ovanför|over denne|fölé).*$",
    re.I,
)
# Header lines of an Outlook block: sender, date, recipient, subject. Two different kinds in four lines make a block.
_HEADER_WORDS = {
    "from": "from|von|de|da|van|od|feladó|från|fra|de la|odesílatel|šalje|pošiljatelj|expéditeur|remitente|mittente",
    "date": "sent|date|gesendet|datum|envoyé|envoyé le|trimis|data|enviado|enviado el|enviada em|fecha|"
    "inviato|verzonden|"
    "wysłano|dátum|elküldve|küldve|odesláno|poslano|datum slanja|skickat|sendt|dato|datum odeslání",
    "to": "to|an|à|către|para|a|per|aan|do|címzett|komu|prima|till|til|cc|kopia|kopie|másolatot kap|k|primatelj",
    "subject": "subject|betreff|objet|subiect|asunto|oggetto|assunto|onderwerp|temat|tárgy|předmět|predmet|ämne|emne",
}
_HEADERS = {kind: re.compile(rf"^[\s>*]*(?:{words})\*?\s?:\*?\s*\S", re.I) for kind, words in _HEADER_WORDS.items()}


def split_quotes(text: str) -> tuple[str, str]:
    """Return (new, quoted). Lines marked with `>` are quoted wherever they stand (people answer between them)."""
    new: list[str] = []
    quoted: list[str] = []
    lines = text.split("\n")
    position = 0
    while position < len(lines):
        line = lines[position]
        if not line.strip():
            new.append("")
        elif line.lstrip().startswith((">", "|>", "》")):
            quoted.append(line.lstrip("> |"))
        elif _SEPARATOR.match(line) or _REPLY_ABOVE.match(line):
            quoted.extend(lines[position:])
            break
        elif any(x.strip() for x in new) and _starts_header_block(lines, position):
            # With nothing above it the same block is the head of the author's own letter.
            quoted.extend(lines[position:])
            break
        elif taken := _attribution(lines, position):
            following = next((x for x in lines[position + taken :] if x.strip()), "")
            quoted.append(" ".join(lines[position : position + taken]))
            position += taken
            if following.lstrip().startswith(">"):
                continue  # the quotation is marked line by line; what stands between or below is new
            quoted.extend(lines[position:])
            break
        else:
            new.append(line)
        position += 1
    return "\n".join(new).strip(), "\n".join(quoted).strip()


def _attribution(lines: list[str], start: int) -> int:
    """How many lines from `start` form an "On ... wrote:" line (mail programs wrap it over two or three)."""
    joined = ""
    for taken in range(1, 4):
        if start + taken > len(lines):
            return 0
        line = lines[start + taken - 1].strip()
        if not line or len(joined) > 240:
            return 0
        joined = f"{joined} {line}".strip()
        if joined.endswith((":", "：")):
            fits = len(joined) <= 300 and _WROTE.search(joined) and _DATE_OR_ADDRESS.search(joined)
            return taken if fits else 0
        if joined.endswith((".", "!", "?")) and taken == 1:
            return 0
    return 0


def _starts_header_block(lines: list[str], start: int) -> bool:
    if not (_HEADERS["from"].match(lines[start]) or _HEADERS["date"].match(lines[start])):
        return False
    window = [line for line in lines[start : start + 8] if line.strip()][:5]
    if not any(_HEADERS["subject"].match(line) for line in window):
        return False
    found = {kind: line for kind, pattern in _HEADERS.items() for line in window if pattern.match(line)}
    # Mail programs give a date or an address; the head of a letter on paper, below "Registered", gives neither.
    return len(found) >= 3 and ("date" in found or any("@" in line for line in found.values()))
