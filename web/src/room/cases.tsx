/** Cases to judge: each response to each case from 1 (never) to 5 (always). What others think is not shown, so that judgements stay one's own. */
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import type { CasesView, RoomView } from '../protocol/types';
import type { Session } from './session';
import './values.css';

const SCALE = [1, 2, 3, 4, 5] as const;

/** How many ratings the viewer still owes. */
export function casesWaiting(stage: CasesView): number {
  const rated = Object.values(stage.mine).reduce((sum, one) => sum + Object.keys(one).length, 0);
  return stage.open ? stage.cases.length * stage.templates.length - rated : 0;
}

export function Cases({ session, view }: { session: Session; view: RoomView }) {
  return (
    <>
      {Object.values(view.cases).map((stage) => (
        <Judge key={stage.stage_id} session={session} view={view} stage={stage} />
      ))}
    </>
  );
}

function Judge({ session, view, stage }: { session: Session; view: RoomView; stage: CasesView }) {
  // What was picked here: a click shows at once, before the server's answer, and goes back where that is a refusal.
  const [picked, setPicked] = useState<Readonly<Record<string, number | undefined>>>({});
  const rate = async (case_: string, template: string, value: (typeof SCALE)[number]) => {
    const key = `${case_} ${template}`;
    setPicked((before) => ({ ...before, [key]: value }));
    const taken = await session.do({ type: 'case.rate', stage_id: stage.stage_id, case: case_, template, value });
    if (!taken) setPicked((before) => (before[key] === value ? { ...before, [key]: undefined } : before));
  };
  const left = casesWaiting(stage);
  const all = Object.values(view.members).filter((one) => one.presence !== 'left').length;
  return (
    <section class="statements cases" data-testid="cases" data-left={left}>
      <h2 dir="auto">{stage.title}</h2>
      <p class="hint">{t(stage.open ? 'cases.hint' : 'cases.over')}</p>
      <p role="status" class={left === 0 && stage.open ? 'checked' : 'hint'}>
        {left === 0 ? t('cases.done', { done: stage.done, all }) : t('cases.left', { n: left })}
      </p>
      <ol class="case-list">
        {stage.cases.map((one, index) => (
          <li key={one.id} class="case" data-testid="case" data-case={one.id}>
            <h3>{t('cases.number', { n: index + 1 })}</h3>
            <p class="case-text" dir="auto">
              {one.text}
            </p>
            {Object.keys(one.dimensions).length > 0 && (
              <dl class="case-dimensions">
                {Object.entries(one.dimensions).map(([name, value]) => (
                  <div key={name}>
                    <dt dir="auto">{name}</dt>
                    <dd dir="auto">{value}</dd>
                  </div>
                ))}
              </dl>
            )}
            {stage.templates.map((template) => (
              <fieldset key={template.id} disabled={!stage.open} data-testid={`rate-${one.id}-${template.id}`}>
                <legend dir="auto">{template.text}</legend>
                <div class="scale">
                  {SCALE.map((value) => (
                    <label key={value} class="scale-step">
                      <input
                        type="radio"
                        name={`rate-${stage.stage_id}-${one.id}-${template.id}`}
                        value={value}
                        checked={(picked[`${one.id} ${template.id}`] ?? stage.mine[one.id]?.[template.id]) === value}
                        onChange={() => void rate(one.id, template.id, value)}
                      />
                      <span>{value}</span>
                      <span class="visually-hidden">{value === 1 ? t('cases.never') : value === 5 ? t('cases.always') : t('poll.of', { n: value, scale: 5 })}</span>
                    </label>
                  ))}
                </div>
                <div class="scale-ends" aria-hidden="true">
                  <span>{t('cases.never')}</span>
                  <span>{t('cases.always')}</span>
                </div>
              </fieldset>
            ))}
          </li>
        ))}
      </ol>
    </section>
  );
}
