import { t } from '../i18n';
import type { PollQuestion } from '../protocol/types';

interface Props {
  questions: readonly PollQuestion[];
  answers: Record<string, number>;
  onAnswer: (question: string, value: number) => void;
}

/** The poll's questions, each on its own scale; the opening and the closing poll look alike. */
export function Poll({ questions, answers, onAnswer }: Props) {
  return (
    <div class="poll">
      {questions.map((question) => (
        <fieldset key={question.id} class="poll-question" data-testid={`poll-${question.id}`}>
          <legend dir="auto">{question.text}</legend>
          <div class="scale">
            {Array.from({ length: question.scale ?? 5 }, (_, index) => index + 1).map((value) => (
              <label key={value} class="scale-step">
                <input type="radio" name={`poll-${question.id}`} value={value} checked={answers[question.id] === value} onChange={() => onAnswer(question.id, value)} />
                <span>{value}</span>
                <span class="visually-hidden">{value === 1 ? question.low : value === question.scale ? question.high : t('poll.of', { n: value, scale: question.scale ?? 5 })}</span>
              </label>
            ))}
          </div>
          <div class="scale-ends" aria-hidden="true">
            <span>{question.low}</span>
            <span>{question.high}</span>
          </div>
        </fieldset>
      ))}
    </div>
  );
}
