;! title    = "method call in a generic function: through its dictionary"
;! heap     = "pointer"
;! types    = "main.T"
;! params   = { go = ["1.27", "1.26", "1.25", "1.22"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: generics"

; `func id[P interface{ Id() int32 }](p P) int32 { return p.Id() }` is compiled once for all pointers. What
; depends on the type comes in a dictionary, whose address is the first argument: its first word is the
; address of the method, which is called as a function value is. There is an indirect call, and no itab.

body:                                   ; rax = *T
        mov  rbx, rax
        lea  rax, ["main..dict.id[*main.T]"]
        call "main.id[go.shape.*uint8]"

func "main.id[go.shape.*uint8]":
;! part stack-check
start:  cmp  rsp, [r14 + 16]            ; g.stackguard0
        jbe  more
;! end
;! part frame-pointer
        push rbp
        mov  rbp, rsp
;! end
        sub  rsp, 8
        mov  rcx, [rax]                 ; dict: (*T).Id
        mov  rdx, rax
        mov  rax, rbx
site:   call rcx
        add  rsp, 8
;! part frame-pointer
        pop  rbp
;! end
        ret
;! part stack-check
more:   mov  [rsp + 8], rax
        mov  [rsp + 16], rbx
        call "runtime.morestack_noctxt"
        mov  rax, [rsp + 8]
        mov  rbx, [rsp + 16]
        jmp  start
;! end

func "main.(*T).Id":
        mov  eax, [rax]
        ret

data "main..dict.id[*main.T]":
        dq   "main.(*T).Id"
