;! title    = "call of a function value behind a guard on its code, as Go devirtualises with a profile"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27"], holds = ["guarded", "other"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "Go 1.27 with -pgo, the compiler's own output for a function value that mostly holds one function"

; Where a profile says which function a function value mostly holds, Go compares the code's address with that
; function's. If it is the one, its body stands there, inlined; else the function value is called as ever. That is
; what guard does for a method, with one load more: the code's address is in memory, an itab's in a register.

body:                                   ; rax = *T
        lea  rdi, ["main.idOf"]
        mov  rbx, ["main.f"]            ; the function value
        cmp  [rbx], rdi
site:   jne  slow
        mov  eax, [rax]
        jmp  done
slow:   mov  rcx, [rbx]
        mov  rdx, rbx
        call rcx
done:

func "main.idOf":
        mov  eax, [rax]
        ret
func "main.other":
        mov  eax, [rax]
        ret

data "main.f":
        dq   "main.idOf·f"
data "main.idOf·f":
        dq   "{{ "main.idOf" if holds == "guarded" else "main.other" }}"
