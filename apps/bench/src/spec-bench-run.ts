import type { ChatMessage } from "@diffuspec/tokenizer";
import { repeatedShare } from "./loops.ts";
import { askPeer, keepReplies, type PeerReply, type PeerRun } from "./peer-runs.ts";
import type { Question, Task } from "./spec-bench-data.ts";
import type { Answer, Field } from "./spec-bench-methods.ts";
import type { MethodName } from "./spec-bench-names.ts";
import { firstDifference } from "./summary.ts";

/** One answer as it is kept: all of {@link Answer} but the ids. */
export interface Kept extends Omit<Answer, "ids"> {
  readonly tokens: number;
  /** Index of the first id that is not arExact's (the shorter length where one begins like the other); -1: equal. */
  readonly differsAt: number;
}

export interface TurnRecord {
  readonly turn: number;
  readonly promptTokens: number;
  /** Repeated 4-grams of arExact's answer. */
  readonly repeatedShare: number;
  readonly runs: Readonly<Partial<Record<MethodName, Kept>>>;
  readonly peers?: Readonly<Record<string, PeerRun>>;
}

/** One question by every method. */
export interface QuestionRecord {
  readonly question: number;
  readonly task: Task;
  readonly turns: readonly TurnRecord[];
  /** Turns left out: the conversation, with room for the longest answer, is longer than the context. */
  readonly skippedTurns: number;
}

export type Watcher = (question: Question, turn: number, method: string) => void;

/**
 * A question's turns, every method and every peer on each, in an order that `rotation` turns. The history of a later turn holds arExact's
 * answers for every method, so that all continue the same prompt.
 */
export async function runQuestion(
  field: Field,
  question: Question,
  { maxTokens, rotation, watch = () => {} }: { maxTokens: number; rotation: number; watch?: Watcher },
): Promise<QuestionRecord> {
  const messages: ChatMessage[] = [];
  const turns: TurnRecord[] = [];
  for (const [turn, content] of question.turns.entries()) {
    messages.push({ role: "user", content });
    const prompt = field.encode(messages);
    if (prompt.length + maxTokens > field.contextLength) break;
    const answers = new Map<MethodName, Answer>();
    const replies = new Map<string, PeerReply>();
    const { contenders, peers: { peers } = { peers: [] } } = field;
    const all = [...contenders, ...peers];
    for (let i = 0; i < all.length; i++) {
      const one = all[(i + rotation + turn) % all.length]!;
      watch(question, turn, one.name);
      if ("answer" in one) answers.set(one.name, await one.answer(prompt, maxTokens));
      else replies.set(one.name, await askPeer(one, prompt, maxTokens));
    }
    const exact = answers.get("arExact")!;
    turns.push({
      turn,
      promptTokens: prompt.length,
      repeatedShare: repeatedShare(exact.ids),
      runs: Object.fromEntries(
        contenders.map(({ name }) => {
          const { ids, ...rest } = answers.get(name)!;
          return [name, { tokens: ids.length, differsAt: firstDifference(exact.ids, ids), ...rest }];
        }),
      ),
      ...(peers.length > 0 && { peers: keepReplies(replies, exact.ids, field.decode) }),
    });
    messages.push({ role: "assistant", content: field.decode(exact.ids) });
  }
  return { question: question.id, task: question.task, turns, skippedTurns: question.turns.length - turns.length };
}

/** Every method once on the first question that fits; thrown away. */
export async function warmUp(field: Field, questions: readonly Question[], maxTokens: number): Promise<void> {
  for (const question of questions) {
    const first = { ...question, turns: question.turns.slice(0, 1) };
    const { turns } = await runQuestion(field, first, { maxTokens, rotation: 0 });
    if (turns.length > 0) return;
  }
}
