// The text of a mark, from the board that is embedded in the page; and the board as a file.

const board = JSON.parse(document.getElementById("board").textContent);

function described(mark) {
  if (mark.matches("circle")) return caseText(mark);
  return mark.dataset.other ? testText(mark) : structureText(mark);
}

function caseText(mark) {
  const values = board.values[mark.closest("svg").dataset.values];
  const index = mark.dataset.case;
  return `${values.submission}, ${board.cases[index]}: ${written(values.cases[index])}`;
}

function structureText(mark) {
  const values = board.values[mark.closest("tr").dataset.values];
  const index = mark.cellIndex - 1;
  const number = values.labels[index];
  const text = number === null ? "no case has it" : written(number);
  return `${values.submission}, structure ${board.labels[index]}: ${text}`;
}

function testText(mark) {
  const tests = board.pairwise_tests[mark.closest("table").dataset.tests];
  const [i, j] = [mark.closest("tr").sectionRowIndex, mark.dataset.other];
  const p = tests.p_values[i][j];
  const verb = tests.wins[i][j] ? "beats" : "does not beat";
  const text = p === null ? "not tested" : `p = ${Number(p.toPrecision(3))}`;
  return `${tests.names[i]} ${verb} ${tests.names[j]} in ${tests.metric}: ${text}`;
}

function written(number) {
  return String(Number(number.toPrecision(5)));
}

document.getElementById("save").addEventListener("click", () => {
  const blob = new Blob([JSON.stringify(board)], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${board.task}.leaderboard.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
