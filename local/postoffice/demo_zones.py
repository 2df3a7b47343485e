"""The records that the practice name server begins with: the demo's senders, its people's domains, and what is broken.

cassiopee.example changed its host and forgot the service that sends; boreale.example is whole; the others say in their
name what is wrong with them. Every value is made up: addresses of RFC 5737, a key whose private half nobody kept.
"""

from __future__ import annotations

from local.postoffice.zones import Record

# What the demo's settings say of the service that sends (local.plan).
SPF_INCLUDE = "_spf.sillage.example"
SENDING_IP = "192.0.2.10"
DKIM_SELECTOR = "sillage"
DKIM_PUBLIC_KEY = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAzoQ4f0r8GDxC4f7Qsxn6fUzlQ4k6iTZzAYQq7t3q2hPZYwj3gAC65i+g"
    "gpCvPUSGSL3kcc6HnftZ0DTWBeSjhMFgysqxWJrYS1anJTWFFdLR27pxzEOsqGefNTWh4iWrrYbULfRht9ksctnpZn8Vxneag/3p"
    "hQ2P6LBflm/W2oIjvqQgoRcOkvRn6JFlgalRGow742koEtNbquAAq0a0/5Wwnwfusjjrfx1e/zmFXdPWhNf6twNp2tXap/+xLLqo"
    "rzp5lJe+BMc2HAuFks3j5hjBW84pO3yshEhm9hscH6ryFGExHGf2fOqmyyC/1sa3JmohrYUXuUQJnPKsM6x7LwIDAQAB"
)
# What the demo's newsletter is signed with; the private half is anybody's to read (seeds/practice_dkim.pem).
LETTERS, LETTERS_SELECTOR = "lettres-cassiopee.example", "sillage-demo"
LETTERS_PUBLIC_KEY = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAosHLpujDIdg23fTzU7S/ZeMOv8/60WGSnPT4LlIC++OaqGhYy29adnjP"
    "7ckH5zMkDSAbltIaqcXb575APllrtPf8JO+Se3eB3MVWvaK63bwwnoypv96492DCJPJnVXqKFbsBwxtxEO5q2iQnFcA9GQBg84Xt"
    "eJm4aUpddV2SCcoxdxRG/L2cmb7KhgOtGhqM2tYeaoqMcU/nX7q6Twba+eqKHG485fuD5UTOuWnHy4zp2pB65xJL6nTNYUdHATyD"
    "yjAzI4dcx1ktLqD3mHDadx+YtsINgcR2EM4ft14P/qZL3YE7adtV8ouMijJv1gS+bVASVvUBDv5RseoIPa7oTQIDAQAB"
)
# The zones that a person is to try on; the others are folded on the page.
TO_TRY = (
    "cassiopee.example", "lettres-cassiopee.example", "boreale.example", "sans-courrier.example", "muet.example",
)  # fmt: skip
_SPF = f"v=spf1 mx include:{SPF_INCLUDE} -all"
_KEY = f"v=DKIM1; k=rsa; p={DKIM_PUBLIC_KEY}"
# Domains that simply take mail: the practice people's, and those that a slip of the fingers is corrected to.
RECEIVING = (
    "ac-lyon.fr", "ac-nantes.fr", "ac-paris.fr", "ac-versailles.fr", "aol.com", "batimentperrinfreres.example",
    "bbox.fr", "boulangerieduvieuxport.example", "cabinethaddadetassocies.example", "cegetel.net",
    "chantiersdunord.example", "client.example", "clinique-tilleuls.example", "cliniquedestilleuls.example",
    "club-internet.fr", "cooperativelaitiereduval.example", "courrier.example", "crechelespetitspas.example",
    "electricitemorel.example", "francetravail.fr", "free.example", "free.fr", "garagedeletoile.example",
    "gmail.com", "gmx.com", "gmx.fr", "googlemail.com", "hebergeur.example", "hotel-bellevue.example",
    "hotelbellevue.example", "hotmail.com", "hotmail.fr", "icloud.com", "imprimerierousseau.example",
    "laposte.example", "laposte.net", "live.com", "live.fr", "mail.example", "mairie-saint-aubin.example",
    "mairiedesaint-aubin.example", "me.com", "menuiserie-lambert.example", "menuiserielambert.example", "msn.com",
    "neuf.fr", "numericable.fr", "occupe.example", "opco-ouest.example", "orange.example", "orange.fr",
    "outlook.com", "outlook.fr",
    "paysagesetjardins.example", "pharmaciecentrale.example", "pole-emploi.fr", "proton.me", "protonmail.com",
    "residencelesglycines.example", "sfr.fr", "sillage.example", "transportslegoff.example", "wanadoo.example",
    "wanadoo.fr", "yahoo.com", "yahoo.fr",
)  # fmt: skip


def whole(domain: str) -> list[Record]:
    """All that a domain needs for its mail to be taken for genuine."""
    return [
        Record(domain, "MX", "10 mx1.hebergeur.example."),
        Record(domain, "TXT", _SPF),
        Record(f"{DKIM_SELECTOR}._domainkey.{domain}", "TXT", _KEY),
        Record(f"_dmarc.{domain}", "TXT", f"v=DMARC1; p=quarantine; rua=mailto:dmarc@{domain}"),
    ]


def first() -> list[Record]:
    """The records at the start, and after "set back"."""
    forgotten = [
        Record(one.name, one.kind, "v=spf1 mx include:_spf.hebergeur.example -all" if one.value == _SPF else one.value)
        for one in whole("cassiopee.example")
    ]
    no_policy = [one for one in whole("lettres-cassiopee.example") if not one.name.startswith("_dmarc.")]
    return [
        *forgotten,
        *no_policy,
        Record(f"{LETTERS_SELECTOR}._domainkey.{LETTERS}", "TXT", f"v=DKIM1; k=rsa; p={LETTERS_PUBLIC_KEY}"),
        *whole("boreale.example"),
        Record("sans-courrier.example", "MX", "0 ."),
        Record("sans-courrier.example", "TXT", "v=spf1 -all"),
        Record("muet.example", "FAIL", ""),
        *(Record(domain, "MX", "10 mx1.hebergeur.example.") for domain in RECEIVING),
        Record("mx1.hebergeur.example", "A", "198.51.100.1"),
        Record("_spf.hebergeur.example", "TXT", "v=spf1 ip4:198.51.100.0/24 -all"),
        Record(SPF_INCLUDE, "TXT", "v=spf1 ip4:192.0.2.0/28 -all"),
        Record("mta1.sillage.example", "A", SENDING_IP),
        Record("10.2.0.192.in-addr.arpa", "PTR", "mta1.sillage.example."),
    ]
