module dispatchlab.example/fidelity

go 1.19
