"""The pure planner: hours across both changes of hour, quiet hours, nothing retroactive, nothing twice, any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import EvaluationMoment, PlanState, Rule
from models.words import EmailType, SessionState
from planning import rules
from planning.quiet import Quiet, at
from planning.rules import Known, Person, Plan, Setting, plans

PARIS, NEW_YORK = ZoneInfo("Europe/Paris"), ZoneInfo("America/New_York")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NEVER_QUIET = Quiet(time(0), time(0), PARIS)
NIGHT = Quiet(time(20), time(8), PARIS)


def moment(text: str, zone: ZoneInfo = PARIS) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def person(*days: str, contact_id: int = 1, **kwargs) -> Person:
    modules = tuple((moment(f"{day} 09:30"), moment(f"{day} 17:30")) for day in days)
    return Person(contact_id, kwargs.pop("enrolled_at", LONG_AGO), modules, **kwargs)


def on(rule: Rule, days: int | None = None, hour: time | None = None, since: datetime | None = LONG_AGO) -> Setting:
    return Setting(rule, rule.days if days is None else days, hour or rule.at, since)


def known(*people: Person, settings: tuple[Setting, ...] = (), **kwargs) -> Known:
    values = {"state": SessionState.PLANNED, "zone": PARIS, "quiet": NIGHT} | kwargs
    return Known(settings=settings or tuple(on(rule) for rule in Rule), people=people, **values)


def one(*people: Person, rule: Rule = Rule.CONVOCATION, now: datetime = LONG_AGO, **kwargs) -> Plan:
    (plan,) = plans(known(*people, **({"settings": (on(rule),)} | kwargs)), now)
    return plan


def test_every_rule_says_its_day_and_hour():
    made = plans(known(person("2026-12-14", "2026-12-15")), LONG_AGO)
    assert [(plan.rule, plan.due_at, plan.state) for plan in made] == [
        (Rule.CONVOCATION, moment("2026-12-07 09:00"), PlanState.PLANNED),
        (Rule.CONVOCATION_REMINDER, moment("2026-12-13 09:00"), PlanState.PLANNED),
        (Rule.EVALUATION_PRE, moment("2026-12-04 09:00"), PlanState.PLANNED),
        (Rule.EVALUATION_HOT, moment("2026-12-15 17:00"), PlanState.PLANNED),
        (Rule.EVALUATION_HOT_REMINDER, moment("2026-12-18 09:00"), PlanState.PLANNED),
        (Rule.CERTIFICATE, moment("2026-12-16 09:00"), PlanState.PLANNED),
        (Rule.EVALUATION_COLD, moment("2027-01-14 09:00"), PlanState.PLANNED),
        (Rule.EVALUATION_COLD_REMINDER, moment("2027-01-21 09:00"), PlanState.PLANNED),
    ]
    assert {plan.too_late_at for plan in made} == {moment("2026-12-14 09:30"), None}
    assert (made[0].why, made[0].values) == (
        "%(days)s jours avant le premier module suivi (%(day)s), à %(hour)s",
        {"days": 7, "day": "2026-12-14", "hour": "09:00", "rule": made[0].why, "quiet": False},
    )


def test_each_learner_counts_from_the_first_module_they_attend():
    late = person("2026-12-21", contact_id=2)
    made = plans(known(person("2026-12-14", "2026-12-21"), late, settings=(on(Rule.CONVOCATION),)), LONG_AGO)
    assert [(plan.contact_id, plan.due_at) for plan in made] == [
        (1, moment("2026-12-07 09:00")), (2, moment("2026-12-14 09:00")),
    ]  # fmt: skip


def test_who_follows_no_module_and_what_is_switched_off_have_no_plan():
    assert plans(known(person()), LONG_AGO) == []
    assert plans(known(person("2026-12-14"), settings=(on(Rule.CONVOCATION, since=None),)), LONG_AGO) == []


DUE = moment("2026-12-07 09:00")


@pytest.mark.parametrize(
    ("change", "state", "why"),
    [
        ({"state": SessionState.FINISHED}, PlanState.PLANNED, None),
        ({"state": SessionState.DRAFT}, PlanState.CANCELLED, rules.DRAFT),
        ({"state": SessionState.CANCELLED}, PlanState.CANCELLED, rules.CALLED_OFF),
        ({"settings": (on(Rule.CONVOCATION, since=DUE),)}, PlanState.PLANNED, None),
        (
            {"settings": (on(Rule.CONVOCATION, since=DUE + timedelta(seconds=1)),)},
            PlanState.TOO_LATE, rules.BEFORE_SWITCHED_ON,
        ),
        ({"enrolled_at": DUE}, PlanState.PLANNED, None),
        ({"enrolled_at": DUE + timedelta(seconds=1)}, PlanState.TOO_LATE, rules.BEFORE_ENROLLED),
        ({"now": moment("2026-12-14 09:29")}, PlanState.PLANNED, None),
        ({"now": moment("2026-12-14 09:30")}, PlanState.TOO_LATE, rules.STARTED),
        ({"settings": (on(Rule.CONVOCATION, 0, time(10)),)}, PlanState.TOO_LATE, rules.AFTER_START),
        ({"written": frozenset({EmailType.CONVOCATION})}, PlanState.NOT_NEEDED, rules.WRITTEN),
        ({"written": frozenset({EmailType.CERTIFICATE})}, PlanState.PLANNED, None),
    ],
)  # fmt: skip
def test_what_keeps_an_email_from_leaving(change, state, why):
    of_person = {key: change.pop(key) for key in ("enrolled_at", "written") if key in change}
    plan = one(person("2026-12-14", **of_person), **change)
    assert (plan.state, plan.why if why else None) == (state, why)


def test_reminders_go_only_to_those_who_did_not_answer():
    made = plans(known(person("2026-12-14", answered=frozenset({EvaluationMoment.HOT}))), LONG_AGO)
    unneeded = {plan.rule for plan in made if plan.state is PlanState.NOT_NEEDED}
    assert unneeded == {Rule.EVALUATION_HOT, Rule.EVALUATION_HOT_REMINDER}
    # a reminder of the other evaluation has the same type: one sent by hand is no reason to leave the other out
    written = person("2026-12-14", written=frozenset({EmailType.EVALUATION_REMINDER}))
    assert one(written, rule=Rule.EVALUATION_COLD_REMINDER).state is PlanState.PLANNED


@pytest.mark.parametrize(
    ("now", "asked", "state"),
    [
        ("2026-12-17 08:59", (), PlanState.PLANNED),
        ("2026-12-17 09:00", (), PlanState.NOT_NEEDED),
        ("2026-12-17 09:00", (EvaluationMoment.HOT,), PlanState.PLANNED),
    ],
)
def test_nobody_is_reminded_of_what_they_were_not_asked(now, asked, state):
    someone = person("2026-12-14", asked=frozenset(asked))
    assert one(someone, rule=Rule.EVALUATION_HOT_REMINDER, now=moment(now)).state is state


def test_the_end_of_a_session_is_no_end_for_what_comes_after_it():
    assert one(person("2026-12-14"), rule=Rule.CERTIFICATE, now=moment("2027-06-01 00:00")).state is PlanState.PLANNED


# Hours by hand: offsets from UTC written down, no zone's table asked.

SUMMER = {
    PARIS: (datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 10, 31, 1, tzinfo=UTC), 1, 2),
    NEW_YORK: (datetime(2027, 3, 14, 7, tzinfo=UTC), datetime(2027, 11, 7, 6, tzinfo=UTC), -5, -4),
}


def by_hand(day: date, hour: time, zone: ZoneInfo) -> datetime:
    """The hour of a local day in UTC, from the table above alone."""
    starts, ends, winter, summer = SUMMER[zone]
    naive = datetime.combine(day, hour).replace(tzinfo=UTC)
    guess = naive - timedelta(hours=winter)
    return naive - timedelta(hours=summer) if starts <= guess < ends + timedelta(hours=1) else guess


@pytest.mark.parametrize("zone", [PARIS, NEW_YORK])
@pytest.mark.parametrize("rule", list(Rule))
def test_a_year_of_sessions_across_both_changes_of_hour(zone, rule):
    quiet = Quiet(time(20), time(8), zone)
    for number in range(365):
        first = date(2027, 1, 1) + timedelta(days=number)
        last = first + timedelta(days=number % 4)
        modules = ((by_hand(first, time(9, 30), zone), by_hand(first, time(17), zone)),
                   (by_hand(last, time(9, 30), zone), by_hand(last, time(17, 30), zone)))  # fmt: skip
        if first.year != last.year:
            continue
        plan = one(Person(1, LONG_AGO, modules), rule=rule, zone=zone, quiet=quiet)
        day = first - timedelta(days=rule.days) if plan.too_late_at else last + timedelta(days=rule.days)
        if day.year == 2027:
            assert plan.due_at == by_hand(day, rule.at, zone), (first, rule)


def test_an_hour_that_the_spring_skips_is_the_moment_of_the_change():
    assert at(date(2027, 3, 28), time(2, 30), PARIS) == datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert at(date(2027, 10, 31), time(2, 30), PARIS) == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "before", "after"),
    [
        (("20:00", "08:00"), "2026-12-07 20:00", "2026-12-08 08:00"),
        (("20:00", "08:00"), "2026-12-07 23:59", "2026-12-08 08:00"),
        (("20:00", "08:00"), "2026-12-08 07:59", "2026-12-08 08:00"),
        (("20:00", "08:00"), "2026-12-08 08:00", "2026-12-08 08:00"),
        (("20:00", "08:00"), "2026-12-07 19:59", "2026-12-07 19:59"),
        (("12:00", "14:00"), "2026-12-07 12:30", "2026-12-07 14:00"),
        (("12:00", "14:00"), "2026-12-07 14:00", "2026-12-07 14:00"),
        (("08:00", "08:00"), "2026-12-07 08:00", "2026-12-07 08:00"),
        (("20:00", "08:00"), "2027-03-27 22:00", "2027-03-28 08:00"),
        (("20:00", "08:00"), "2027-10-30 22:00", "2027-10-31 08:00"),
        (("23:00", "02:30"), "2027-03-27 23:30", "2027-03-28 03:00"),
    ],
)
def test_quiet_hours_put_off_to_the_next_allowed_minute(hours, before, after):
    quiet = Quiet(*(time.fromisoformat(hour) for hour in hours), PARIS)
    assert quiet.after(moment(before)) == moment(after)


def test_an_email_put_off_says_so_and_one_put_off_past_the_start_never_leaves():
    plan = one(person("2026-12-14"), settings=(on(Rule.CONVOCATION, 7, time(21)),))
    assert (plan.due_at, plan.values["quiet"]) == (moment("2026-12-08 08:00"), True)
    plan = one(
        person("2026-12-14"), settings=(on(Rule.CONVOCATION, 1, time(21)),), quiet=Quiet(time(20), time(10), PARIS)
    )
    assert (plan.state, plan.why) == (PlanState.TOO_LATE, rules.AFTER_START)


hours = st.times().map(lambda hour: hour.replace(second=0, microsecond=0))
moments = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)).map(
    lambda found: found.replace(second=0, microsecond=0, tzinfo=UTC)
)
zones = st.sampled_from([PARIS, NEW_YORK, ZoneInfo("Pacific/Auckland"), ZoneInfo("Australia/Lord_Howe")])


@given(moments, hours, hours, zones)
def test_the_allowed_minute_is_the_first_one(start, quiet_from, quiet_to, zone):
    quiet = Quiet(quiet_from, quiet_to, zone)
    found, walked = quiet.after(start), start
    while quiet.holds(walked):
        walked += timedelta(minutes=1)
    assert found == walked


def _person(number: int, day: date, spread: list[int], enrolled: datetime, answered, written) -> Person:
    days = [day + timedelta(days=offset) for offset in spread]
    modules = tuple((at(d, time(9), PARIS), at(d, time(17), PARIS)) for d in days)
    return Person(number, enrolled, modules, frozenset(EvaluationMoment), frozenset(answered), frozenset(written))


people = st.lists(
    st.builds(
        _person, st.just(0), st.dates(date(2026, 3, 1), date(2027, 11, 1)),
        st.lists(st.integers(0, 40), max_size=4), moments, st.sets(st.sampled_from(list(EvaluationMoment))),
        st.sets(st.sampled_from([EmailType.CONVOCATION, EmailType.CERTIFICATE, EmailType.EVALUATION_REMINDER])),
    ), max_size=5,
).map(lambda found: tuple(replace(one, contact_id=number) for number, one in enumerate(found)))  # fmt: skip
settings = st.lists(
    st.builds(Setting, st.sampled_from(list(Rule)), st.integers(0, 60), hours, st.none() | moments),
    unique_by=lambda setting: setting.rule, max_size=8,
).map(tuple)  # fmt: skip
everything = st.builds(
    Known, st.sampled_from(list(SessionState)), st.just(PARIS), st.builds(Quiet, hours, hours, st.just(PARIS)),
    settings, people,
)  # fmt: skip


@given(everything, moments, st.randoms())
def test_order_and_repetition_change_nothing_and_nobody_is_planned_twice(facts, now, random):
    made = plans(facts, now)
    assert plans(facts, now) == made
    shuffled = [list(facts.people), list(facts.settings)]
    for listed in shuffled:
        random.shuffle(listed)
    assert plans(replace(facts, people=tuple(shuffled[0]), settings=tuple(shuffled[1])), now) == made
    assert len({(plan.contact_id, plan.rule) for plan in made}) == len(made)


@given(everything, moments)
def test_what_is_planned_is_never_retroactive_quiet_or_after_the_start(facts, now):
    enrolled = {one.contact_id: one.enrolled_at for one in facts.people}
    switched_on = {setting.rule: setting.enabled_at for setting in facts.settings}
    for plan in plans(facts, now):
        assert plan.rule in switched_on and switched_on[plan.rule] is not None
        if plan.state is not PlanState.PLANNED:
            continue
        assert plan.due_at >= max(enrolled[plan.contact_id], switched_on[plan.rule])
        assert not facts.quiet.holds(plan.due_at)
        assert plan.too_late_at is None or max(now, plan.due_at) < plan.too_late_at
        assert facts.state in rules.LIVING


@given(everything, st.integers(-200, 200))
def test_a_moved_session_moves_its_plans_with_it(facts, days):
    """With nothing behind it, each plan keeps its distance in days and its hour on the wall."""
    fresh = tuple(replace(one, enrolled_at=LONG_AGO) for one in facts.people)
    always = tuple(replace(one, enabled_at=LONG_AGO) for one in facts.settings)
    facts = replace(facts, people=fresh, settings=always, quiet=NEVER_QUIET)

    def moved(one: datetime) -> datetime:
        local = one.astimezone(PARIS)
        return at(local.date() + timedelta(days=days), local.time(), PARIS)

    there = replace(
        facts, people=tuple(replace(one, modules=tuple((moved(a), moved(b)) for a, b in one.modules)) for one in fresh)
    )
    before, after = plans(facts, LONG_AGO), plans(there, LONG_AGO)
    assert [(p.contact_id, p.rule) for p in before] == [(p.contact_id, p.rule) for p in after]
    for first, second in zip(before, after, strict=True):
        day = first.due_at.astimezone(PARIS).date() + timedelta(days=days)
        wanted = next(one.at for one in always if one.rule is first.rule)
        assert second.due_at == at(day, wanted, PARIS)
