"""HTML, Slack mrkdwn and help desk mark-up to plain text; quoted HTML blocks become `> ` lines.

A tokenising regular expression instead of an HTML parser: a message of 100 kB takes a few milliseconds, and
nothing here needs a correct tree.
"""

from __future__ import annotations

import html
import re

_HTML_SIGN = re.compile(
    r"<(?:html|body|head|div|p|br|span|table|td|tr|ul|ol|li|b|i|u|em|strong|blockquote|style|script|"
    r"font|h[1-6]|img|a\s"
    r"|meta|!doctype|!--|pre|code|o:p|center|hr)\b[^>]{0,2000}>|</(?:p|div|span|a|b|i|td|body|html|blockquote)>",
    re.I,
)
_TOKEN = re.compile(r"<!--.*?(?:-->|\Z)|<(?P<end>/?)(?P<tag>[a-zA-Z!?][\w:-]*)(?P<attrs>[^<>]*)>|[^<]+|<", re.S)
_SKIPPED = frozenset({"style", "script", "head", "title", "template", "noscript", "svg", "object"})
_BLOCK = frozenset(
    [
        "p",
        "div",
        "br",
        "tr",
        "li",
        "ul",
        "ol",
        "table",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "hr",
        "pre",
        "section",
        "article",
        "header",
        "footer",
        "dd",
        "dt",
        "body",
        "center",
    ]
)
_VOID = frozenset(["br", "hr", "img", "meta", "link", "input", "wbr", "col", "area", "base", "source"])
_QUOTE_ATTR = re.compile(
    r"gmail_quote|gmail_attr|yahoo_quoted|moz-cite-prefix|divRplyFwdMsg|OutlookMessageHeader|protonmail_quote|"
    r"zmail_extra|tutanota_quote|type=[\"']?cite|zd-comment-quote|reply-intro|appendonsend|"
    r"mail-quote|ms-outlook-mobile-ref",
    re.I,
)
_SIGNATURE_ATTR = re.compile(r"gmail_signature|moz-signature|ms-outlook-mobile-signature|[\"' ]signature[\"' ]", re.I)
_HIDDEN_ATTR = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|mso-hide\s*:\s*all|\shidden\b", re.I
)

_SLACK_LINK = re.compile(r"<(?P<target>(?:https?://|mailto:|tel:|[@#!])[^<>|\n]*)(?:\|(?P<label>[^<>\n]*))?>")
_MARKDOWN_IMAGE = re.compile(r"!\[[^\]\n]*\]\([^)\n]*\)")
_MARKDOWN_LINK = re.compile(r"\[([^\]\n]{1,200})\]\((?:https?:|mailto:)[^)\n]*\)")
_EMBEDDED = re.compile(
    r"\[(?:image|cid|inline image|attachment|bild|imagen?|immagine|obraz|afbeelding)\s*:[^\]\n]*\]", re.I
)
_CODE_BLOCK = re.compile(r"```.*?(?:```|\Z)", re.S)
_BOLD = re.compile(r"(?<![\w*])\*{1,3}(?=\S)([^*\n]{1,400}?)(?<=\S)\*{1,3}(?![\w*])")
_ITALIC = re.compile(r"(?<![\w_])_{1,2}(?=\S)([^_\n]{1,400}?)(?<=\S)_{1,2}(?![\w_])")
_STRUCK = re.compile(r"(?<![\w~])~{1,2}(?=\S)[^~\n]{1,400}?(?<=\S)~{1,2}(?![\w~])")
_URL = re.compile(r"\b(?:https?://|www\.)\S+")


def plain(text: str) -> str:
    """The words that a reader would see, blocks on lines of their own, quotations marked with `> `."""
    text = _SLACK_LINK.sub(_slack_label, text)
    if "<" in text and _HTML_SIGN.search(text):
        text = _from_html(text)
    if "&" in text:
        text = html.unescape(text)
    text = _CODE_BLOCK.sub(lambda m: _as_quote(m.group().strip("`")), text)
    text = _EMBEDDED.sub(" ", _MARKDOWN_LINK.sub(r"\1", _MARKDOWN_IMAGE.sub(" ", text)))
    text = _STRUCK.sub(" ", text)
    text = _ITALIC.sub(r"\1", _BOLD.sub(r"\1", text))
    return _URL.sub(" URL ", text)


def _slack_label(match: re.Match[str]) -> str:
    target, label = match["target"], match["label"]
    if target[0] in "@!":
        return label or ""
    return label or target.removeprefix("mailto:").removeprefix("tel:")


def _as_quote(text: str) -> str:
    return "\n" + "\n".join("> " + line for line in text.split("\n") if line.strip()) + "\n"


def _from_html(text: str) -> str:
    """Walk over the tags once; `open_tags` remembers which element made the text skipped or quoted."""
    out: list[str] = []
    open_tags: list[tuple[str, str]] = []  # (tag, role): only elements with a role, and equal tags inside of them
    skipped = quoted = 0
    for match in _TOKEN.finditer(text):
        tag = match["tag"]
        if tag is None:
            piece = match.group()
            if not skipped and not piece.startswith("<!--"):
                out.append(piece.replace("\n", " "))
            continue
        tag, attrs = tag.lower(), match["attrs"]
        if match["end"]:
            if open_tags and open_tags[-1][0] == tag:
                role = open_tags.pop()[1]
                skipped -= role == "skip"
                quoted -= role == "quote"
        elif tag not in _VOID and not attrs.endswith("/"):
            role = _role(tag, attrs)
            if role or (open_tags and open_tags[-1][0] == tag):
                open_tags.append((tag, role))
                skipped += role == "skip"
                quoted += role == "quote"
        if tag in _BLOCK and not skipped:
            out.append("\n> " if quoted else "\n")
    return re.sub(r"[ \t]+", " ", "".join(out)).replace("\n ", "\n")


def _role(tag: str, attrs: str) -> str:
    if tag in _SKIPPED or (attrs and (_HIDDEN_ATTR.search(attrs) or _SIGNATURE_ATTR.search(attrs))):
        return "skip"
    if tag == "blockquote" or (attrs and _QUOTE_ATTR.search(attrs)):
        return "quote"
    return ""
