;! title    = "creating an interface that holds a pointer: two words, without a call"
;! heap     = "iface"
;! types    = "main.id32"
;! methods  = ["Id"]
;! params   = { go = ["1.27", "1.26", "1.25", "1.19", "1.10"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Creating an interface"

; The itab was made when the program was built, so its address is a constant; the pointer is the data
; word as it is. Both are stored to a variable, `sink`, where the stores of pointers are guarded: while the
; collector marks, they go through the write barrier, which is off here. The id is read back through the
; variable: two loads that creating alone does not need.
;
; A value in place of the pointer has to be moved to the heap first.

body:                                   ; rbx = *id32; the itab that the harness loads is not used
{% if abi == "register" %}
        lea  rdx, ["go.itab.main.id32,main.I"]
        mov  ["main.sink"], rdx
        cmp  dword ["runtime.writeBarrier"], 0
{% if go_minor >= 21 %}
        je   keep                       ; off: over what tells the collector of the old pointer and the new one
        mov  rsi, ["main.sink" + 8]
        call "runtime.gcWriteBarrier2"
        mov  [r11], rbx
        mov  [r11 + 8], rsi
{% else %}
        jne  "main.barrier"
{% endif %}
keep:   mov  ["main.sink" + 8], rbx
{% else %}
        lea  rcx, ["go.itab.main.id32,main.I"]
        mov  ["main.sink"], rcx
        mov  esi, ["runtime.writeBarrier"]
        test esi, esi
        jne  "main.barrier"
        mov  ["main.sink" + 8], rbx
{% endif %}
        mov  rax, ["main.sink" + 8]
        mov  eax, [rax]

func "main.(*id32).Id":
        mov  eax, [rax]
        ret

func "main.barrier":                    ; the write barrier itself is not modelled here
        ud2

data "main.sink":
        dq   0, 0
