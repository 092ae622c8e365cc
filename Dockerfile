# Two images: `eval` scores and has no torch; `run` (the default) is the whole pipeline.
#   docker build -t regatta .                 docker build --target eval -t regatta-eval .
# BASE_IMAGE must offer Python 3.11 or newer as a package, and needs nothing of CUDA: torch's wheels
# carry their own runtime. CUDA 12.6's start on drivers from 525 on.
ARG BASE_IMAGE=nvidia/cuda:12.6.3-base-ubuntu24.04

FROM ${BASE_IMAGE} AS python
RUN python3 -m ensurepip --version || { apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*; }
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
WORKDIR /app

# Environments are made beside the images, so that pip's leavings and wheels stay out of them.
FROM python AS packages
RUN python3 -m venv /opt/venv
# wheels/ may hold wheels for builds without a network, torch's CPU build for instance.
COPY requirements.txt wheels* /wheels/
ARG PIP_NO_INDEX

FROM packages AS eval-packages
ARG PIP_NO_INDEX
RUN grep -vE '^(torch|safetensors|docker)==' /wheels/requirements.txt > /tmp/eval.txt \
 && pip install --no-cache-dir --find-links /wheels -r /tmp/eval.txt

FROM eval-packages AS run-packages
ARG PIP_NO_INDEX
ARG TORCH=cu126
RUN sed "s/^torch==.*/&+${TORCH}/" /wheels/requirements.txt > /tmp/run.txt \
 && pip install --no-cache-dir --find-links /wheels \
    --extra-index-url "https://download.pytorch.org/whl/${TORCH}" -r /tmp/run.txt

FROM python AS eval
COPY --from=eval-packages /opt/venv /opt/venv
COPY l2r ./l2r
COPY eval ./eval
USER 10001:10001
ENTRYPOINT ["python", "-m", "eval"]

FROM python AS run
COPY --from=run-packages /opt/venv /opt/venv
COPY l2r ./l2r
COPY models ./models
COPY eval ./eval
COPY pipeline ./pipeline
COPY configs ./configs
USER 10001:10001
ENTRYPOINT ["python", "-m", "pipeline"]
CMD ["run"]
