"""The text layer: what is the author's own new text?"""

from __future__ import annotations

import pytest

from intents.text.cleaning import NEW_LIMIT, own_words
from intents.text.normalise import fold, normalise
from intents.text.sentences import split_sentences

ATTRIBUTIONS = [
    "On Tue, 3 Nov 2026 at 10:12, Support <help@example.com> wrote:",
    "Am Di., 3. Nov. 2026 um 10:12 Uhr schrieb Support <help@example.com>:",
    "Support <help@example.com> schrieb am 3.11.2026 um 10:12:",
    "Le mar. 3 nov. 2026 à 10:12, Support <help@example.com> a écrit :",
    "În mar., 3 nov. 2026 la 10:12, Support <help@example.com> a scris:",
    "El mar, 3 nov 2026 a las 10:12, Support (<help@example.com>) escribió:",
    "Il giorno mar 3 nov 2026 alle ore 10:12 Support <help@example.com> ha scritto:",
    "Em ter., 3 de nov. de 2026 às 10:12, Support <help@example.com> escreveu:",
    "Op di 3 nov 2026 om 10:12 schreef Support <help@example.com>:",
    "wt., 3 lis 2026 o 10:12 Support <help@example.com> napisał(a):",
    "W dniu 3.11.2026 o 10:12, Support napisał:",
    "Support <help@example.com> ezt írta (időpont: 2026. nov. 3., K, 10:12):",
    "Dne 3. 11. 2026 v 10:12 Support napsal(a):",
    "Dana 3. stu 2026. u 10:12 Support <help@example.com> je napisao:",
    "Den tis 3 nov. 2026 kl 10:12 skrev Support <help@example.com>:",
    "Den tirs. 3. nov. 2026 kl. 10.12 skrev Support <help@example.com>:",
]


@pytest.mark.parametrize("line", ATTRIBUTIONS)
def test_everything_below_a_mail_programs_wrote_line_is_quoted(line: str) -> None:
    new, quoted = own_words(f"Where is my invoice?\n\n{line}\n\nPlease delete my account.\nKarl")
    assert new == "Where is my invoice?"
    assert "delete my account" in quoted


def test_an_attribution_wrapped_over_two_lines_is_found() -> None:
    new, _ = own_words(
        "ok\n\nOn Tue, 3 Nov 2026 at 10:12, A very long name of a team\n<help@example.com> wrote:\n> delete"
    )
    assert new == "ok"


def test_answers_between_quoted_lines_are_new() -> None:
    new, quoted = own_words("On 3 Nov 2026, Support wrote:\n> Shall we delete it?\nNo, keep it.\n> Anything else?\nNo.")
    assert new == "No, keep it.\nNo."
    assert "Shall we delete it?" in quoted


OUTLOOK = [
    ("From: A <a@example.com>", "Sent: Tuesday, 3 November 2026", "To: B", "Subject: Re: delete"),
    ("Von: A <a@example.com>", "Gesendet: Dienstag, 3. November 2026", "An: B", "Betreff: AW: löschen"),
    ("De : A <a@example.com>", "Envoyé : mardi 3 novembre 2026", "À : B", "Objet : RE: supprimer"),
    ("De la: A <a@example.com>", "Trimis: marți, 3 noiembrie 2026", "Către: B", "Subiect: Re: ștergere"),
    ("De: A <a@example.com>", "Enviado: martes, 3 de noviembre de 2026", "Para: B", "Asunto: RE: borrar"),
    ("Da: A <a@example.com>", "Inviato: martedì 3 novembre 2026", "A: B", "Oggetto: R: cancellare"),
    ("De: A <a@example.com>", "Enviada em: terça-feira, 3 de novembro", "Para: B", "Assunto: RES: apagar"),
    ("Van: A <a@example.com>", "Verzonden: dinsdag 3 november 2026", "Aan: B", "Onderwerp: RE: wissen"),
    ("Od: A <a@example.com>", "Wysłano: wtorek, 3 listopada 2026", "Do: B", "Temat: ODP: usunąć"),
    ("Feladó: A <a@example.com>", "Elküldve: 2026. november 3.", "Címzett: B", "Tárgy: RE: törlés"),
    ("Od: A <a@example.com>", "Odesláno: úterý 3. listopadu 2026", "Komu: B", "Předmět: RE: smazat"),
    ("Šalje: A <a@example.com>", "Poslano: utorak, 3. studenoga 2026.", "Prima: B", "Predmet: RE: obrisati"),
    ("Från: A <a@example.com>", "Skickat: den 3 november 2026", "Till: B", "Ämne: SV: radera"),
    ("Fra: A <a@example.com>", "Sendt: 3. november 2026", "Til: B", "Emne: SV: slette"),
]


@pytest.mark.parametrize("header", OUTLOOK)
def test_an_outlook_header_block_ends_the_new_text(header: tuple[str, ...]) -> None:
    new, quoted = own_words("Thanks, works now!\n\n" + "\n".join(header) + "\n\nErase everything.")
    assert new == "Thanks, works now!"
    assert "Erase everything." in quoted


@pytest.mark.parametrize("above", ["", "By registered post\n\n"])
def test_the_head_of_a_letter_is_not_a_quotation(above: str) -> None:
    head = "From: Ida Berg, 4 Mill Lane\nTo: Data protection\nSubject: Access request"
    new, quoted = own_words(f"{above}{head}\n\nPlease send me a copy.")
    assert "Please send me a copy." in new
    assert quoted == ""


@pytest.mark.parametrize(
    "separator",
    [
        "-----Original Message-----",
        "---------- Forwarded message ---------",
        "-------- Weitergeleitete Nachricht --------",
        "---------- Message transféré ----------",
        "-----Mesaj original-----",
        "---------- Mensaje reenviado ----------",
        "----- Messaggio inoltrato -----",
        "-----Mensagem original-----",
        "-----Oorspronkelijk bericht-----",
        "-----Wiadomość oryginalna-----",
        "-----Eredeti üzenet-----",
        "---------- Původní zpráva ----------",
        "----- Proslijeđena poruka -----",
        "-----Ursprungligt meddelande-----",
        "-----Oprindelig meddelelse-----",
        "Begin forwarded message:",
        "##- Please type your reply above this line -##",
    ],
)
def test_forwarded_and_earlier_mail_is_quoted(separator: str) -> None:
    assert own_words(f"see below\n\n{separator}\nPlease unsubscribe me.")[0] == "see below"


def test_html_becomes_its_visible_words() -> None:
    page = (
        "<html><head><style>p{color:red}</style><title>x</title></head><body><p>Hello&nbsp;there</p>"
        "<div style='display:none'>delete my account</div><p>My <b>invoice</b>?</p>"
        "<blockquote type='cite'><p>unsubscribe me</p></blockquote></body></html>"
    )
    new, quoted = own_words(page)
    assert new.split() == ["Hello", "there", "My", "invoice?"]
    assert "unsubscribe me" in quoted


def test_a_gmail_quote_is_quoted() -> None:
    new, quoted = own_words('<div dir="ltr">Yes please</div><div class="gmail_quote">On 3 Nov <div>delete?</div></div>')
    assert new == "Yes please"
    assert "delete?" in quoted


def test_angle_brackets_in_plain_text_stay() -> None:
    assert own_words("price < 5 and I use <b2b> lists")[0] == "price < 5 and I use <b2b> lists"


def test_slack_links_and_entities_become_words() -> None:
    new, _ = own_words("Remove <mailto:a@b.io|a@b.io> &amp; <@U123> see <https://x.io|this *page*>")
    assert new.split() == ["Remove", "a@b.io", "&", "see", "this", "page"]


def test_slack_quotes_and_code_blocks_are_quoted() -> None:
    new, quoted = own_words("&gt; delete my account\nhow do I fix this?\n```DELETE FROM accounts```")
    assert new == "how do I fix this?"
    assert "delete my account" in quoted
    assert "DELETE FROM" in quoted


def test_struck_out_words_do_not_count() -> None:
    assert "delete" not in own_words("~delete my account~ all good now")[0]


@pytest.mark.parametrize(
    "closing",
    [
        "-- ",
        "Best regards",
        "Mit freundlichen Grüßen",
        "Cu stimă,",
        "Cordialement,",
        "Un saludo",
        "Cordiali saluti",
        "Com os melhores cumprimentos",
        "Met vriendelijke groet",
        "Z poważaniem",
        "Üdvözlettel",
        "S pozdravem",
        "Srdačan pozdrav",
        "Med vänlig hälsning",
        "Med venlig hilsen",
    ],
)
def test_a_signature_is_cut(closing: str) -> None:
    new, _ = own_words(f"My bill is wrong.\n\n{closing}\nKim Roe\nPrivacy counsel, deletion requests\n+40 123")
    assert new == "My bill is wrong."


def test_a_postscript_below_the_signature_stays() -> None:
    assert "delete" in own_words("Thanks.\n\nBest regards\nKim\n\nPS: and please delete my account")[0]


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Trimis de pe iPhone",
        "Enviado desde mi iPhone",
        "Inviato da iPhone",
        "Verzonden vanaf mijn iPhone",
        "Skickat från min iPhone",
        "Get Outlook for Android",
    ],
)
def test_a_device_line_is_cut(line: str) -> None:
    assert own_words(f"no more of these\n\n{line}")[0] == "no more of these"


@pytest.mark.parametrize(
    "footer",
    [
        "This e-mail and any attachments are confidential. Delete it if it is not for you.",
        "Diese E-Mail enthält vertrauliche Informationen. Bitte löschen Sie sie.",
        "You are receiving this email because you signed up. Unsubscribe at any time.",
        "Unsubscribe | Manage preferences",
    ],
)
def test_a_legal_footer_is_cut(footer: str) -> None:
    assert own_words(f"Where can I see bounces?\n\n{footer}")[0] == "Where can I see bounces?"


@pytest.mark.parametrize(
    "disguised",
    ["d\u200be\u200bl\u200be\u200bt\u200be", "ｄｅｌｅｔｅ", "dеlеtе", "𝐝𝐞𝐥𝐞𝐭𝐞", "de\u00adlete", "d e l e t e"],
)
def test_unicode_tricks_are_undone(disguised: str) -> None:
    assert "delete" in own_words(f"please {disguised} my account")[0]


def test_dotless_i_and_kelvin_sign_fold_to_plain_letters() -> None:
    assert fold(normalise("d\u0131sable \u212aelvin")) == "disable kelvin"


def test_folding_removes_diacritics_of_all_languages() -> None:
    assert fold("Ștergeți ŁÓDŹ født Größe đak őű řž") == "stergeti lodz fodt grosse dak ou rz"


def test_a_long_paste_keeps_its_beginning_and_its_end() -> None:
    new, _ = own_words(
        "Please look at this log.\n" + "ERROR 42 at line 7 of the file\n" * 4000 + "and remove my account"
    )
    assert len(new) <= NEW_LIMIT + 1
    assert new.startswith("Please look")
    assert new.endswith("remove my account")


def test_wrapped_lines_form_one_sentence_and_abbreviations_do_not_end_one() -> None:
    text = "I request under Art. 15 GDPR a copy of\nmy data. Thank you!\n\nKim"
    assert split_sentences(text) == ["I request under Art. 15 GDPR a copy of my data.", "Thank you!", "Kim"]


@pytest.mark.parametrize(
    ("new", "quoted", "offer"),
    [
        ("Yes please", "On 3 Nov 2026, Support wrote:\nShall we delete it?", "Shall we delete it?"),
        ("Confermo, procedete pure.", "Per cancellare i dati ci serve una conferma. È sicura?", "cancellare"),
        ("I take the second one.", "IntelliMails Support wrote on 3.11.2026:\na) pause it\nb) delete it", "delete it"),
        ("Ich nehme die letzte Möglichkeit", "Wir können: pausieren, herabstufen, löschen", "löschen"),
    ],
)
def test_a_short_answer_takes_our_quoted_offer_with_it(new: str, quoted: str, offer: str) -> None:
    from intents.offers import with_offer

    taken = with_offer(new, quoted)
    assert taken.startswith(new)
    assert offer in taken[len(new) :]


@pytest.mark.parametrize(
    ("new", "quoted"),
    [
        ("Sure, 3pm works.", "On Wed, 4 Nov 2026 at 16:02, Fran Dale wrote:\nCan you delete my data?"),
        ("Thanks, works now!", "Shall we delete your account?"),
        ("No, keep it", "Shall we delete your account?"),
        ("Yes please", "You can unsubscribe at any time."),
    ],
)
def test_no_other_quoted_word_gets_any_further(new: str, quoted: str) -> None:
    from intents.offers import with_offer

    assert with_offer(new, quoted) == new
