import { randomInt } from "node:crypto";

const adjectives =
  "amber bold brave brisk calm clear clever cool crisp deep eager early fair fast fine fond free fresh gentle glad golden grand green happy hardy honest jolly keen kind light lively loyal lucky mellow mild neat nimble noble patient plain polite proud quick quiet rapid ready royal shiny silent silver simple smooth snowy soft solid steady still strong sunny swift tidy warm wise";
const nouns =
  "acorn arrow badger bay beacon birch bird branch breeze bridge brook candle canyon cedar cliff cloud comet coral crane creek dawn delta dune eagle ember falcon fern field finch fjord forest fox garden glade grove harbor hawk heron hill island lake lark leaf maple meadow moon moss oak ocean otter owl pebble pine planet pond prairie rain raven reef ridge river robin sky spring star stone stream summit sun thunder tide trail valley wave willow wind wolf wren";

const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
const suffixLength = 8;
const longestLabel = 63;

/** `<adjective>-<noun>-<8 random characters>`: a resource name and a DNS label at once. */
export function generatedName(): string {
  return withSuffix(`${pick(adjectives.split(" "))}-${pick(nouns.split(" "))}`);
}

/** A DNS label made of a name: `<name>-<8 random characters>`. */
export function labelFor(name: string): string {
  const label = name
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, "-")
    .slice(0, longestLabel - suffixLength - 1)
    .replace(/^-+|-+$/g, "");
  return withSuffix(label === "" ? "service" : label);
}

export const withSuffix = (text: string): string => `${text}-${randomText(suffixLength)}`;

const randomText = (length: number): string =>
  Array.from({ length }, () => letters[randomInt(letters.length)]).join("");

const pick = (words: readonly string[]): string => words[randomInt(words.length)] ?? "";
