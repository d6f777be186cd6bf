# The dashboard, or with another command a worker or the command line. No GPU: for one, start from an image with CUDA and
# install torch's build for it.
#   docker build -t compt-lab .
#   docker run --rm -p 127.0.0.1:8501:8501 -v compt:/home/compt/data compt-lab
FROM python:3.11.14-slim-bookworm

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# Before the code, so that a change of code installs nothing again. The CPU build of torch is a tenth of the other's size.
WORKDIR /opt/compt-lab
COPY requirements.txt ./
RUN python -m pip install --extra-index-url https://download.pytorch.org/whl/cpu -r requirements.txt

RUN useradd --create-home --uid 1000 compt && install -d -o compt -g compt /home/compt/data
COPY --chown=root:root LICENSE README.md CITATION.cff pyproject.toml ./
COPY --chown=root:root assets assets
COPY --chown=root:root compt_core compt_core
COPY --chown=root:root app app
COPY --chown=root:root pages pages

USER 1000
ENV COMPT_HOME=/home/compt/data
VOLUME /home/compt/data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]

CMD ["python", "-m", "streamlit", "run", "app/main.py", "--server.port", "8501", "--server.address", "0.0.0.0", \
     "--server.headless", "true", "--server.showEmailPrompt", "false"]
