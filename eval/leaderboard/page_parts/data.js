// What a mark says, from the board that is embedded in the page; and the board as a file.

const board = JSON.parse(document.getElementById("board").textContent);

function described(mark) {
  if (mark.matches("circle")) return caseText(mark);
  return mark.dataset.duel ? duelText(mark) : structureText(mark);
}

function caseText(mark) {
  const values = board.values[mark.closest("svg").dataset.values];
  const index = mark.dataset.case;
  const number = values.cases[index].toFixed(board.decimals[values.metric]);
  return `${values.submission}, ${board.cases[index]}: ${number}`;
}

function structureText(mark) {
  const values = board.values[mark.closest("tr").dataset.values];
  const index = mark.cellIndex - 1;
  const number = values.labels[index];
  const text = number?.toFixed(mark.closest("table").dataset.digits) ?? "no case has it";
  return `${values.submission}, structure ${board.labels[index]}: ${text}`;
}

function duelText(mark) {
  const duels = board.duels[mark.closest("table").dataset.duels];
  const [i, j] = [mark.closest("tr").sectionRowIndex, mark.dataset.duel];
  const p = duels.p_values[i][j];
  const verb = duels.wins[i][j] ? "beats" : "does not beat";
  const text = p === null ? "not tested" : `p = ${p < 0.001 ? p.toExponential(1) : p.toFixed(3)}`;
  return `${duels.names[i]} ${verb} ${duels.names[j]} in ${duels.metric}: ${text}`;
}

document.getElementById("save").addEventListener("click", () => {
  const { decimals, ...content } = board;
  const blob = new Blob([JSON.stringify(content)], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${board.task}.leaderboard.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
