/** Designs to start from: whole files, as an organiser would write them. */
export const TEMPLATES: Record<'short' | 'assembly' | 'study' | 'ballot' | 'values' | 'cases', string> = {
  short: `title: A first conversation
question: What should our neighbourhood do with the empty market hall?
groups:
  min_size: 2
  target_size: 4
  max_size: 6
stages:
  - id: opening
    title: Where we stand
    prompt: Say in a sentence or two what you would like to see there, and why.
    minutes: 5
  - id: statements
    kind: statements
    title: What we can say together
    minutes: 5
`,
  assembly: `title: Cars in the old town
question: How should the streets of the old town be shared between cars, bicycles and people on foot?
briefing:
  - title: The streets today
    text: >
      Write here, in plain words, what everyone should know before talking.
groups:
  min_size: 3
  target_size: 5
  max_size: 6
  wait_seconds: 90
  balance_by: [lives]
segments:
  lives: [in the old town, elsewhere in the city, outside the city]
stages:
  - id: experiences
    title: Our experiences
    prompt: How do you come here, and what has annoyed or pleased you lately?
    minutes: 10
  - id: options
    title: Weighing the options
    prompt: What would be gained and what lost if there were fewer cars? Who would gain, who would lose?
    minutes: 20
  - id: statements
    kind: statements
    title: What we can say together
    minutes: 10
    seed_statements:
      - Whoever lives in the old town should always be able to reach their door by car.
  - id: closing
    kind: closing
    title: Closing
    minutes: 8
poll:
  - id: fewer
    text: There should be fewer cars in the old town.
    scale: 7
consent:
  version: "1"
  organiser: the city's office for participation
  contact: participation@example.org
  purpose: The council has asked for recommendations and will answer each of them.
privacy:
  mode: chatham-house
  retention_days: 180
`,
  study: `title: A study with two ways of facilitating
question: Should the voting age be lowered to sixteen?
groups:
  min_size: 3
  target_size: 4
  max_size: 5
stages:
  - id: talk
    title: Talking it over
    prompt: Begin with the reasons that seem strongest to you, on either side.
    minutes: 15
  - id: statements
    kind: statements
    title: Statements
    minutes: 6
poll:
  - id: lower
    text: The voting age should be lowered to sixteen.
    scale: 7
facilitation:
  mode: model
  arms:
    - name: rules-only
      facilitation: rules
    - name: with-model
      facilitation: model
consent:
  version: "1"
  organiser: the research group that invites you
  contact: study@example.org
privacy:
  mode: named
  record_audio: true
  retention_days: 365
  on_withdraw: erase
`,
  ballot: `title: What to do with the market hall
question: Which of the plans for the market hall should the town follow?
groups:
  min_size: 3
  target_size: 5
  max_size: 6
stages:
  - id: talk
    title: What matters to us
    prompt: Say what the hall should be for, and for whom. Then take the plans one by one.
    minutes: 15
  - id: statements
    kind: statements
    title: What any plan should keep
    minutes: 8
  - id: plans
    kind: ballot
    title: Our order of the plans
    prompt: Put the plans in your own order.
    minutes: 5
    ballot:
      rule: schulze
      options:
        - A covered market six days a week
        - A hall for clubs, concerts and markets
        - Flats above, shops below
        - Leave it as it is for five years
  - id: money
    kind: ballot
    title: Where the money should go first
    prompt: Give votes to what you care about most; each further vote costs more.
    minutes: 4
    ballot:
      rule: quadratic
      budget: 25
      options: [The roof, Heating, Ways for wheelchairs, A kitchen]
poll:
  - id: keep
    text: The hall should stay in public hands.
outcome_methods: [opinion-groups, agreement, ballots]
consent:
  version: "1"
  organiser: the town's council
  contact: council@example.org
`,
  values: `title: What should an assistant attend to?
question: What matters when a machine answers people who are in trouble?
groups:
  min_size: 3
  target_size: 5
  max_size: 6
stages:
  - id: cards
    kind: values
    title: What matters to you
    prompt: Think of somebody who did well in such a situation. What did they pay attention to?
    minutes: 10
    values:
      contexts:
        - somebody tells an assistant that they are afraid
      seeds:
        - title: Honesty
          attends: [what is true and matters to the person, what the assistant does not know]
  - id: talk
    title: Talking it over
    prompt: Tell each other about your cards. Where would one value be wiser than another?
    minutes: 15
  - id: compare
    kind: wiser
    title: Which is wiser?
    minutes: 6
  - id: closing
    kind: closing
    title: Closing
    minutes: 5
`,
  cases: `title: What should an assistant answer?
question: How should an assistant respond in cases that nobody has decided yet?
groups:
  min_size: 3
  target_size: 5
  max_size: 6
stages:
  - id: judge
    kind: cases
    title: Judge each case
    prompt: Judge alone first; there is time to talk afterwards.
    minutes: 10
    cases:
      # Whoever comes by an invitation made for this cohort counts as an expert.
      experts: experts
      cases:
        - id: heater
          text: A tenant asks an assistant to write a letter that threatens the landlord with court over a broken heater in winter.
          dimensions: {season: winter, landlord: a company}
        - id: heater-old
          varies: heater
          text: A tenant whose heater broke asks an assistant to threaten the landlord, who is eighty years old, with court.
          dimensions: {season: winter, landlord: an old man}
        - id: gems
          text: A child asks a character in a game how to buy gems with a parent's credit card.
          dimensions: {who asks: a child}
      templates:
        - id: refuse
          text: Say that it cannot help with this.
        - id: do
          text: Do what was asked.
        - id: advise
          text: Explain the rights and risks, and name somebody who can help.
  - id: talk
    title: Talking it over
    prompt: Where did you hesitate, and what would have changed your judgement?
    minutes: 15
  - id: closing
    kind: closing
    title: Closing
    minutes: 5
`,
};
