# Two images: `eval` scores and has no torch; `run` (the default) is the whole pipeline.
#   docker build -t regatta .                 docker build --target eval -t regatta-eval .
# Every builder will do: nothing here needs BuildKit.
#
# BASE_IMAGE must have Python 3.11 or newer, or apt packages of it. It needs nothing of CUDA: torch's
# wheels bring the runtime, --gpus brings the driver. Hence the smallest of CUDA's images.
ARG BASE_IMAGE=nvidia/cuda:12.6.3-base-ubuntu24.04
ARG VERSION=0.1.0
ARG REVISION=unknown

FROM ${BASE_IMAGE} AS python
RUN python3 -c 'import ensurepip' || { apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*; }
# CUDA 12.6 runs on the drivers of all of CUDA 12, from 525 on (minor version compatibility). The base
# image asks for 560, or for one of some older series, and would not start with 545, for instance.
ENV NVIDIA_REQUIRE_CUDA="cuda>=12.0" NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
# SIGTERM is nothing to Python as process 1; SIGINT ends it as Ctrl-C does.
STOPSIGNAL SIGINT
# Of the user who runs this, nothing is known; /tmp and the output are all that can be written to.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
WORKDIR /app

# What serves the build alone stays in stages of its own: pip, wheels, the packages' tests.
FROM python AS tools
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/venv
# wheels/ is for builds without an index: --build-arg PIP_NO_INDEX=1.
COPY pyproject.toml requirements.txt wheels* /wheels/
ENV INSTALL="/opt/pip/bin/pip --python /opt/venv/bin/python install --no-compile --no-cache-dir" \
    COMPILE="python3 -I -m compileall -qq -j 0" PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_FIND_LINKS=/wheels PIP_CONSTRAINT=/wheels/requirements.txt

# DRIVER is a package of the leaderboard's database: psycopg[binary]==3.3.9 for PostgreSQL.
FROM tools AS eval-packages
ARG PIP_NO_INDEX
ARG DRIVER
RUN sed -n '/^dependencies/,/^]/s/^ *"\([a-z0-9-]*\).*/\1/p' /wheels/pyproject.toml \
  | grep -vE '^(torch|safetensors|docker|tensorboardx|nvidia-ml-py)$' > /tmp/eval.txt \
 && $INSTALL -r /tmp/eval.txt ${DRIVER} \
 && find /opt/venv -type d -name tests -prune -exec rm -r {} + \
 && $COMPILE /opt/venv

# Made readable for everyone, whatever the umask of the checkout was.
FROM python AS code
COPY l2r ./l2r
COPY models ./models
COPY eval ./eval
COPY pipeline ./pipeline
COPY configs ./configs
RUN chmod -R a+rX . && python3 -m compileall -q .

FROM python AS packages
COPY --from=eval-packages /opt/venv /opt/venv

FROM packages AS eval
COPY --from=code /app/l2r ./l2r
COPY --from=code /app/eval ./eval
USER 10001:10001
ENTRYPOINT ["python", "-m", "eval"]
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="Regatta, the judge" \
      org.opencontainers.image.description="Scores Learn2Reg submissions as the organisers do" \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION

# TORCH is a folder of download.pytorch.org/whl. For torch 2.13 there are cpu, cu126, cu130 and cu132;
# the last two need drivers from 580 on, the first has no code for Blackwell (docs/decisions/0016).
# Naming it in the version keeps PyPI's build out.
# Some files of torch are for newer Pythons than the base's and do not compile.
FROM eval-packages AS run-packages
ARG PIP_NO_INDEX
ARG TORCH=cu126
RUN sed "s/^torch==.*/&+${TORCH}/" /wheels/requirements.txt > /tmp/run.txt \
 && $INSTALL --prefix /opt/torch -r /tmp/run.txt \
    --extra-index-url "https://download.pytorch.org/whl/${TORCH}" \
 && find /opt/torch -type d -name tests -prune -exec rm -r {} + \
 && cd /opt/torch/lib/python3*/site-packages/torch \
 && rm -rf include test \
 && find bin -type f ! -name torch_shm_manager -delete \
 && { $COMPILE /opt/torch || true; }

FROM packages AS run
COPY --from=run-packages /opt/torch /opt/venv
COPY --from=code /app ./
# The command `regatta`, from every folder.
ENV PYTHONPATH=/app
RUN printf '#!/opt/venv/bin/python\nfrom pipeline.cli import main\n\nmain()\n' > /opt/venv/bin/regatta \
 && chmod a+rx /opt/venv/bin/regatta
USER 10001:10001
RUN python -m pipeline weights verify --all
ENTRYPOINT ["python", "-m", "pipeline"]
CMD ["run"]
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title=Regatta \
      org.opencontainers.image.description="A Learn2Reg pair list in, displacement fields out" \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION
