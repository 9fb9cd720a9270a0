import pathlib
import signal
import subprocess
import sys
import tempfile

for sig in (signal.SIGTERM, signal.SIGKILL):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "ledger.txt")
        path.touch()
        service = subprocess.Popen([sys.executable, "-m", "ledgerd", str(path)], stdout=subprocess.PIPE, text=True)
        assert service.stdout.readline() == "ready\n"
        service.send_signal(sig)
        print(f"{sig.name}: ended with", service.wait(10))
        print(f"{sig.name}: rows on disk:", len(path.read_text().splitlines()))
print("stage clear")
